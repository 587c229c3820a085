// Who may do what: every call, over both doors, with every kind of token.
#include <grpcpp/grpcpp.h>

#include "services/gateway/connect.h"
#include "tests/gateway/fixture.h"
#include "xundian/gateway/v1/gateway_service.grpc.pb.h"

namespace xundian::gateway {
namespace {

struct Method {
  const char* name;
  Verb verb;
  Unnamed unnamed;
  bool stream;
};
constexpr Method methods[] = {
#define XUNDIAN_ROW(Name, function, verb, unnamed) {#Name, Verb::verb, Unnamed::unnamed, false},
    XUNDIAN_UNARY_METHODS(XUNDIAN_ROW)
#undef XUNDIAN_ROW
#define XUNDIAN_ROW(Name, function, verb, unnamed) {#Name, Verb::verb, Unnamed::unnamed, true},
        XUNDIAN_STREAM_METHODS(XUNDIAN_ROW)
#undef XUNDIAN_ROW
};

// A request that names a store, where the call can; with a bus missing, none of them changes anything.
const std::map<std::string, std::string> naming = {
    {"SetStore", R"({"store":"$"})"},
    {"GetOverview", R"({"stores":["$"]})"},
    {"QueryMetrics", R"({"stores":["$"],"metrics":["orders"],"from":"2026-01-01","to":"2026-01-01"})"},
    {"ListAlerts", R"({"store":"$"})"},
    {"PutSilence", R"({"store":"$","comment":"x"})"},
    {"PutSubscriber", R"({"subscriber":"s","terms":{"stores":["$"]}})"},
    {"PutFacts", R"({"facts":[{"store":"$","key":"k"}]})"},
    {"GetReport", R"({"store":"$","date":"2026-01-01"})"},
    {"WatchAlerts", R"({"stores":["$"],"position":"?"})"},
    {"ImportFile", R"({"store":"$"})"},
};

class AccessMatrix : public GatewayTest {
 protected:
  // The code that a call ends with; "ok" if it is carried out.
  std::string code(const Method& method, const std::string& body, const std::string& token) const {
    std::string json;
    if (method.stream) {
      const Answer answer = post(method.name, envelope(0, body), token, "application/connect+json");
      EXPECT_EQ(answer.status, 200) << method.name;
      open_stream(answer.body, json);
    } else {
      const Answer answer = post(method.name, body, token);
      if (answer.status == 200) return "ok";
      json = answer.body;
    }
    const size_t at = json.find("\"code\":\"");
    return at == std::string::npos ? "ok" : json.substr(at + 8, json.find('"', at + 8) - at - 8);
  }
  static std::string body(const Method& method, const std::string& store) {
    const auto found = naming.find(method.name);
    // Streams are asked for what ends them at once; a call that waits is not let wait.
    if (found == naming.end() || store.empty()) return std::string(method.name) == "WatchAlerts" ? R"({"position":"?"})" : "{}";
    std::string text = found->second;
    return text.replace(text.find('$'), 1, store);
  }
};

bool is_denied(const std::string& code) { return code == "permission_denied" || code == "unauthenticated"; }

TEST_F(AccessMatrix, WithoutAKnownTokenThereIsNothing) {
  for (const Method& method : methods) {
    EXPECT_EQ(code(method, body(method, ""), ""), "unauthenticated") << method.name;
    EXPECT_EQ(code(method, body(method, ""), "not-a-token"), "unauthenticated") << method.name;
    EXPECT_EQ(code(method, "this is no JSON", "not-a-token"), "unauthenticated") << method.name;
  }
}

TEST_F(AccessMatrix, AReaderReadsAndAWriterWrites) {
  for (const Method& method : methods) {
    if (std::string(method.name) == "WaitFolded" || std::string(method.name) == "GetFingerprint")
      continue;  // They wait for services.
    EXPECT_EQ(code(method, body(method, ""), reader_token) == "permission_denied", method.verb != Verb::read) << method.name;
    EXPECT_EQ(code(method, body(method, ""), writer_token) == "permission_denied", method.verb == Verb::admin) << method.name;
  }
}

TEST_F(AccessMatrix, ATokenOfOneStoreSeesNoOther) {
  for (const Method& method : methods) {
    if (std::string(method.name) == "WaitFolded") continue;
    if (naming.contains(method.name)) {
      EXPECT_EQ(code(method, body(method, "other"), mall_token), "permission_denied") << method.name;
      EXPECT_FALSE(is_denied(code(method, body(method, "mall"), mall_token))) << method.name;
    }
    EXPECT_EQ(code(method, body(method, ""), mall_token) == "permission_denied", method.unnamed == Unnamed::every_store)
        << method.name;
  }
}

TEST_F(AccessMatrix, AFactWithoutAStoreConcernsAll) {
  EXPECT_EQ(post("PutFacts", R"({"facts":[{"key":"k"}]})", mall_token).status, 403);
  EXPECT_EQ(post("PutFacts", R"({"facts":[{"store":"mall","key":"k"},{"key":"k"}]})", mall_token).status, 403);
  EXPECT_EQ(post("PutFacts", R"({"facts":[{"store":"mall","key":"k"},{"store":"other","key":"k"}]})", mall_token).status, 403);
}

TEST_F(AccessMatrix, WhatServicesConcludeIsNotStatedFromOutside) {
  for (const char* state : {R"("finding":{"terms":{}})", R"("alertState":{"terms":{}})", R"("delivery":{"attempt":{}})"}) {
    const Answer answer =
        post("PutFacts", fmt::format(R"({{"facts":[{{"store":"mall","key":"k","asOfMs":1,{}}}]}})", state), admin_token());
    EXPECT_EQ(answer.status, 403) << answer.body;
  }
  const Answer answer =
      post("PutFacts", R"({"facts":[{"store":"mall","key":"k","asOfMs":1,"storeState":{"identity":{}}}]})", writer_token);
  EXPECT_EQ(answer.status, 403) << answer.body;
}

TEST_F(AccessMatrix, TheSameHoldsOverGrpc) {
  const auto stub = v1::GatewayService::NewStub(
      grpc::CreateChannel(fmt::format("127.0.0.1:{}", gateway_->grpc_port()), grpc::InsecureChannelCredentials()));
  const auto prepare = [](grpc::ClientContext& context, const std::string& token) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  };
#define XUNDIAN_TRY(Name, function, verb_, unnamed_)                                                             \
  for (const char* token : {"", "not-a-token", reader_token, mall_token}) {                                      \
    if (std::string(#Name) == "WaitFolded" || std::string(#Name) == "GetFingerprint") continue;                  \
    grpc::ClientContext context;                                                                                 \
    prepare(context, token);                                                                                     \
    v1::Name##Response response;                                                                                 \
    const auto status = stub->Name(&context, v1::Name##Request(), &response);                                    \
    const bool known = token == reader_token || token == mall_token;                                             \
    EXPECT_EQ(status.error_code() == grpc::StatusCode::UNAUTHENTICATED, !known) << #Name << token;               \
    if (token == reader_token) {                                                                                 \
      EXPECT_EQ(status.error_code() == grpc::StatusCode::PERMISSION_DENIED, Verb::verb_ != Verb::read) << #Name; \
    }                                                                                                            \
  }
  XUNDIAN_UNARY_METHODS(XUNDIAN_TRY)
#undef XUNDIAN_TRY
#define XUNDIAN_TRY(Name, function, verb_, unnamed_)                                      \
  for (const char* token : {"", "not-a-token"}) {                                         \
    grpc::ClientContext context;                                                          \
    prepare(context, token);                                                              \
    const auto reader = stub->Name(&context, v1::Name##Request());                        \
    v1::Name##Response response;                                                          \
    EXPECT_FALSE(reader->Read(&response)) << #Name;                                       \
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED) << #Name; \
  }
  XUNDIAN_STREAM_METHODS(XUNDIAN_TRY)
#undef XUNDIAN_TRY
}

}  // namespace
}  // namespace xundian::gateway
