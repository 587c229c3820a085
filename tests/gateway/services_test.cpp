// Several services are asked at once; one that is silent takes nothing from what the others say.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <future>
#include <latch>
#include <mutex>
#include <thread>
#include <utility>

#include "common/home.h"
#include "common/overview.h"
#include "common/query.h"
#include "services/gateway/connect.h"
#include "tests/gateway/fixture.h"
#include "tests/support/overview.h"
#include "xundian/gateway/v1/gateway_service.grpc.pb.h"

namespace xundian::gateway {
namespace {

using ServicesTest = GatewayTest;

// Answers questions until it is gone.
class Answering {
 public:
  // Every one with the same; with nothing in it as a service of an empty home does.
  Answering(const std::string& home, const std::string& service, const std::string& answer = {})
      : Answering(home, service, [answer](auto, auto) { return answer; }) {}
  Answering(const std::string& home, const std::string& service, QueryServer::Answer answer)
      : server_(Home::open(home)->endpoint(service + ".0.query"), std::move(answer)),
        thread_([this](const std::stop_token& stop) {
          zmq::pollitem_t items[] = {{nullptr, server_.descriptor(), ZMQ_POLLIN, 0}};
          while (!stop.stop_requested())
            if (zmq::poll(items, 1, std::chrono::milliseconds(10)) > 0) server_.serve_one();
        }) {}

 private:
  QueryServer server_;
  std::jthread thread_;
};

TEST_F(ServicesTest, OneThatIsSilentHidesNoOther) {
  const Answering support(folder_, "support"), alerts(folder_, "alerts");
  // Metrics, campaigns and inventory are waited for first, for all the time that there is.
  const Answer overview = post("GetOverview", "{}", admin_token());
  EXPECT_EQ(overview.status, 200);
  EXPECT_EQ(overview.body.find("support"), std::string::npos) << overview.body;
  EXPECT_NE(overview.body.find(R"("missing":["metrics","campaigns","inventory"])"), std::string::npos) << overview.body;
  EXPECT_NE(overview.body.find(R"("severity":"critical")"), std::string::npos) << overview.body;
}

// An overview's part of these stores, in which each has one figure.
std::string part_of(const std::vector<std::string>& stores, const std::string& metric, int64_t figure, Millis as_of_ms) {
  OverviewPart part;
  for (const std::string& store : stores) {
    part.add({store, {}, {}, metric, figure, 3, "money", {}, {}});
    part.end_store(store, as_of_ms);
  }
  return part.finish().SerializeAsString();
}

// Nobody who asks for JSON takes the gateway down because of it.
TEST_F(ServicesTest, AnOverviewWhoseRowsCannotBeReadIsAnError) {
  query::v1::GetOverviewResponse broken;
  broken.add_stores()->set_rows("\x0a\xff\xff");
  const Answering metrics(folder_, "metrics", broken.SerializeAsString());
  const Answer answer = post("GetOverview", "{}", admin_token());
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, R"({"code":"internal","message":"what a service wrote of its GetOverviewResponse cannot be read"})");
}

// The same over HTTP, as JSON and protobuf, and over gRPC.
TEST_F(ServicesTest, AnOverviewJoinsWhatDepartmentsTell) {
  const Answering metrics(folder_, "metrics", part_of({"a", "b"}, "order_value", 2'000'000, 5'000)),
      inventory(folder_, "inventory", part_of({"b"}, "unshipped", 1, 7'000)),
      support(folder_, "support", part_of({"a", "c"}, "reply_rate", -50'000, 6'000)), alerts(folder_, "alerts");
  const std::string json = post("GetOverview", "{}", admin_token()).body;
  v1::GetOverviewResponse read;
  ASSERT_TRUE(parse(Codec::json, json, read).has_value()) << json;
  EXPECT_EQ(tests::text_of(read.rows()),
            "a  order_value \"0.666667\" money  \na  reply_rate \"-0.016667\" money  \nb  order_value \"0.666667\" money  \n"
            "b  unshipped \"0.00\" money  \nc  reply_rate \"-0.016667\" money  \n");
  EXPECT_EQ(read.as_of().seconds(), 7);
  EXPECT_EQ(read.alerts_size(), 4);
  ASSERT_EQ(read.missing_size(), 1);
  EXPECT_EQ(read.missing(0), "campaigns");

  v1::GetOverviewResponse proto;
  ASSERT_TRUE(proto.ParseFromString(post("GetOverview", "", admin_token(), "application/proto").body));
  EXPECT_EQ(proto.SerializeAsString(), read.SerializeAsString());

  const auto channel =
      grpc::CreateChannel(fmt::format("127.0.0.1:{}", gateway_->grpc_port()), grpc::InsecureChannelCredentials());
  const auto stub = v1::GatewayService::NewStub(channel);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + admin_token());
  v1::GetOverviewResponse told;
  const grpc::Status status = stub->GetOverview(&context, {}, &told);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(told.SerializeAsString(), read.SerializeAsString());

  // A request that is none.
  grpc::GenericStub raw(channel);
  grpc::ClientContext garbled;
  garbled.AddMetadata("authorization", "Bearer " + admin_token());
  const grpc::Slice garbage("\x0a\xff\xff");
  grpc::ByteBuffer request(&garbage, 1), response;
  std::promise<grpc::Status> ended;
  raw.UnaryCall(&garbled, "/xundian.gateway.v1.GatewayService/GetOverview", {}, &request, &response,
                [&](const grpc::Status& end) { ended.set_value(end); });
  const grpc::Status refused = ended.get_future().get();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << refused.error_message();
  EXPECT_EQ(refused.error_message(), "the request is no GetOverviewRequest");
}

class PatientTest : public GatewayTest {
 protected:
  PatientTest() { service_timeout_ms_ = 60'000; }
};

// A thread that reads calls waits for one overview; the others wait elsewhere, and calls are read.
TEST_F(PatientTest, OverviewsThatAreWaitedForHoldUpNoOtherCall) {
  constexpr int overviews = 4;  // More than there are threads that read, of a machine of few processors.
  std::latch asked(overviews);
  std::promise<void> told;
  const auto until = told.get_future().share();
  const Answering metrics(folder_, "metrics", [&](std::string_view method, auto) {
    if (method == "GetOverview") until.wait();
    return std::string();
  });
  const Answering support(folder_, "support", [&](std::string_view method, auto) {
    if (method == "GetOverview") asked.count_down();
    return std::string();
  });
  const Answering campaigns(folder_, "campaigns"), inventory(folder_, "inventory"), alerts(folder_, "alerts");
  const auto stub = v1::GatewayService::NewStub(
      grpc::CreateChannel(fmt::format("127.0.0.1:{}", gateway_->grpc_port()), grpc::InsecureChannelCredentials()));
  const auto call = [&](auto method, const auto& request, auto response) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + admin_token());
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return (stub.get()->*method)(&context, request, &response);
  };
  std::vector<std::jthread> waiting;
  for (int overview = 0; overview < overviews; ++overview)
    waiting.emplace_back([&] {
      const grpc::Status status =
          call(&v1::GatewayService::Stub::GetOverview, v1::GetOverviewRequest(), v1::GetOverviewResponse());
      EXPECT_TRUE(status.ok()) << status.error_message();
    });
  asked.wait();
  for (int other = 0; other < 20; ++other) {
    const grpc::Status status = call(&v1::GatewayService::Stub::ListAlerts, v1::ListAlertsRequest(), v1::ListAlertsResponse());
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  told.set_value();
}

// A home with 25 alerts, "k0" first: "k3" of the store "other", the rest of "mall". They are told as alerts tells them, but ten
// at once at most.
class AlertsTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    alerts_ = std::make_unique<Answering>(folder_, "alerts", [this](std::string_view method, std::string_view request) {
      return method == "ListAlerts" ? tell(request) : std::string();
    });
  }
  void TearDown() override {
    alerts_.reset();
    GatewayTest::TearDown();
  }
  // "k0 k1 next 2", or an error's status.
  std::string list(const std::string& body, const std::string& token) {
    const Answer answer = post("ListAlerts", body, token);
    if (answer.status != 200) return std::to_string(answer.status);
    v1::ListAlertsResponse response;
    EXPECT_TRUE(parse(Codec::json, answer.body, response).has_value()) << answer.body;
    EXPECT_TRUE(response.missing().empty());
    std::string text;
    for (const v1::Alert& alert : response.alerts()) text += (text.empty() ? "" : " ") + alert.key();
    if (!response.next_page_token().empty()) text += " next " + response.next_page_token();
    return text;
  }
  // What was asked since this was called last.
  std::vector<query::v1::ListAlertsRequest> asked() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }

 private:
  std::string tell(std::string_view bytes) {
    query::v1::ListAlertsRequest question;
    EXPECT_TRUE(question.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    query::v1::ListAlertsResponse told;
    uint64_t passed = 0;
    for (int number = 0; number < 25; ++number) {
      const std::string key = "k" + std::to_string(number), store = number == 3 ? "other" : "mall";
      const auto& stores = question.stores();
      if (question.has_alert() && question.alert() != key) continue;
      if (!stores.empty() && std::find(stores.begin(), stores.end(), store) == stores.end()) continue;
      if (passed++ < question.skip()) continue;
      if (static_cast<uint32_t>(told.alerts_size()) == std::min(question.limit(), 10u) && !question.has_alert()) {
        told.set_more(true);
        break;
      }
      query::v1::Alert& alert = *told.add_alerts();
      alert.set_store(store);
      alert.mutable_terms()->set_alert(key);
    }
    const std::lock_guard lock(mutex_);
    asked_.push_back(question);
    return told.SerializeAsString();
  }

  std::mutex mutex_;
  std::vector<query::v1::ListAlertsRequest> asked_;
  std::unique_ptr<Answering> alerts_;
};

TEST_F(AlertsTest, AreAskedForByThePage) {
  EXPECT_EQ(list(R"({"pageSize":2,"state":"firing"})", admin_token()), "k0 k1 next 2");
  const auto first = asked();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].state(), "firing");
  EXPECT_EQ(first[0].stores_size(), 0);
  EXPECT_EQ(first[0].skip(), 0u);
  EXPECT_EQ(first[0].limit(), 2u);
  EXPECT_EQ(list(R"({"pageSize":2,"pageToken":"2"})", admin_token()), "k2 k3 next 4");
  EXPECT_EQ(list(R"({"pageSize":2,"pageToken":"23"})", admin_token()), "k23 k24") << "the last, and full";
  EXPECT_EQ(list(R"({"pageToken":"25"})", admin_token()), "");
  EXPECT_EQ(asked().size(), 3u);
  EXPECT_EQ(list(R"({"pageToken":"x"})", admin_token()), "400");
  EXPECT_EQ(list(R"({"pageSize":-1})", admin_token()), "400");
  EXPECT_TRUE(asked().empty());
}

TEST_F(AlertsTest, OfALargePageComeInParts) {
  EXPECT_EQ(list(R"({"pageSize":21,"pageToken":"2"})", admin_token()),
            "k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 next 23");
  const auto parts = asked();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].skip(), 22u);
  EXPECT_EQ(parts[2].limit(), 1u);
  const std::string all = list("{}", admin_token());
  EXPECT_EQ(all.substr(0, 6), "k0 k1 ");
  EXPECT_EQ(all.substr(all.size() - 7), "k23 k24");
}

TEST_F(AlertsTest, AreThoseOfTheStoresThatATokenIsFor) {
  EXPECT_EQ(list(R"({"pageSize":4})", mall_token), "k0 k1 k2 k4 next 4");
  const auto questions = asked();
  ASSERT_EQ(questions.size(), 1u);
  ASSERT_EQ(questions[0].stores_size(), 1);
  EXPECT_EQ(questions[0].stores(0), "mall");
  EXPECT_EQ(list(R"({"store":"other"})", admin_token()), "k3");
  EXPECT_EQ(list(R"({"alert":"k3"})", admin_token()), "k3");
  EXPECT_EQ(list(R"({"alert":"k3"})", mall_token), "");
  EXPECT_EQ(list(R"({"alert":"k4"})", mall_token), "k4");
}

TEST_F(AlertsTest, OneIsTakenChargeOfByItsKey) {
  // No bus is there that could make it durable: what is found is not put.
  EXPECT_EQ(post("AckAlert", R"({"alert":"k20"})", writer_token).status, 503);
  const auto questions = asked();
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_TRUE(questions[0].has_alert());
  EXPECT_EQ(questions[0].alert(), "k20");
  EXPECT_EQ(post("AckAlert", R"({"alert":"k25"})", writer_token).status, 404);
  EXPECT_EQ(post("AckAlert", "{}", writer_token).status, 404);
  EXPECT_EQ(post("AckAlert", R"({"alert":"k3"})", mall_token).status, 404) << "another store's";
  EXPECT_EQ(post("AckAlert", R"({"alert":"k4"})", mall_token).status, 503);
}

}  // namespace
}  // namespace xundian::gateway
