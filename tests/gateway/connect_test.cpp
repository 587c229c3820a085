// The Connect protocol, against a gateway that no service stands behind.
#include "services/gateway/connect.h"

#include <httplib.h>

#include "tests/gateway/fixture.h"

namespace xundian::gateway {
namespace {

using Connect = GatewayTest;

TEST_F(Connect, AnswersWithoutServicesSayWhoIsMissing) {
  const Answer overview = post("GetOverview", "{}", admin_token());
  EXPECT_EQ(overview.status, 200);
  EXPECT_EQ(overview.type, "application/json");
  EXPECT_EQ(overview.body, R"({"missing":["metrics","campaigns","inventory","support","alerts"]})");
  EXPECT_EQ(post("ListStores", "{}", admin_token()).body, R"({"missing":["metrics"]})");
  EXPECT_EQ(post("ListAlerts", "{}", admin_token()).body, R"({"missing":["alerts"]})");
  const Answer metrics = post("QueryMetrics", R"({"metrics":["orders"],"from":"2026-01-01","to":"2026-01-02"})", admin_token());
  EXPECT_EQ(metrics.body, R"({"missing":["metrics","campaigns","inventory","support"]})");
}

TEST_F(Connect, StatusTellsOfEachService) {
  v1::GetStatusResponse status;
  ASSERT_TRUE(parse(Codec::json, post("GetStatus", "{}", admin_token()).body, status).has_value());
  EXPECT_FALSE(status.healthy());
  EXPECT_FALSE(status.has_journal());
  std::vector<std::string> names;
  for (const v1::ServiceStatus& service : status.services()) names.push_back(service.name());
  EXPECT_EQ(names,
            (std::vector<std::string>{"bus", "metrics", "campaigns", "inventory", "support", "alerts", "intake", "gateway"}));
  EXPECT_EQ(status.missing_size(), 7);
}

TEST_F(Connect, ProtoIsSpokenLikeJson) {
  const Answer answer = post("ListStores", std::string(), admin_token(), "application/proto");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.type, "application/proto");
  v1::ListStoresResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.body));
  ASSERT_EQ(response.missing_size(), 1);
  EXPECT_EQ(response.missing(0), "metrics");
}

TEST_F(Connect, ErrorsHaveTheirCodeAndStatus) {
  const std::string token = admin_token();
  Answer answer = post("QueryMetrics", R"({"metrics":["orders"],"from":"2026-01-02","to":"2026-01-01"})", token);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, R"({"code":"invalid_argument","message":"from 2026-01-02 lies behind to 2026-01-01"})");
  EXPECT_EQ(post("QueryMetrics", R"({"metrics":["orders"],"from":"yesterday","to":"2026-01-01"})", token).status, 400);
  EXPECT_EQ(post("QueryMetrics", "{}", token).status, 400);
  EXPECT_EQ(post("GetOverview", R"({"storse":["mall"]})", token).status, 400);  // A misspelt filter shows nothing.
  EXPECT_EQ(post("GetOverview", "{", token).status, 400);
  EXPECT_EQ(post("GetOverview", "{}", token, "text/plain").status, 415);
  EXPECT_EQ(post("NoSuchCall", "{}", token).status, 404);
  EXPECT_EQ(post("AckAlert", R"({"alert":"x"})", token).status, 503);
  EXPECT_EQ(post("GetReport", R"({"date":"2026-01-01","format":"pdf"})", token).status, 400);
  EXPECT_EQ(post("ListStores", R"({"pageToken":"-1"})", token).status, 400);
}

TEST_F(Connect, HeadersAreHeeded) {
  httplib::Client client("127.0.0.1", gateway_->http_port());
  const auto status = [&](httplib::Headers headers) {
    headers.emplace("Authorization", "Bearer " + admin_token());
    return client.Post("/xundian.gateway.v1.GatewayService/ListStores", headers, "{}", "application/json")->status;
  };
  EXPECT_EQ(status({{"Connect-Protocol-Version", "1"}}), 200);
  EXPECT_EQ(status({{"Connect-Protocol-Version", "2"}}), 400);
  EXPECT_EQ(status({{"Connect-Timeout-Ms", "5000"}}), 200);
  EXPECT_EQ(status({{"Connect-Timeout-Ms", "soon"}}), 400);
}

TEST_F(Connect, AStreamEndsWithItsError) {
  std::string end;
  const Answer answer = post("ImportFile", envelope(0, "{}"), admin_token(), "application/connect+json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.type, "application/connect+json");
  EXPECT_TRUE(open_stream(answer.body, end).empty());
  EXPECT_EQ(end, R"({"error":{"code":"invalid_argument","message":"no file is named"}})");
  open_stream(post("ImportFile", "{}", admin_token(), "application/connect+json").body, end);
  EXPECT_NE(end.find("no envelope"), std::string::npos) << end;
  EXPECT_EQ(post("ImportFile", "{}", admin_token(), "application/json").status, 415);
}

TEST_F(Connect, HealthMetricsAndPageNeedNoToken) {
  httplib::Client client("127.0.0.1", gateway_->http_port());
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  post("ListStores", "{}", admin_token());
  const auto metrics = client.Get("/metrics");
  ASSERT_EQ(metrics->status, 200);
  EXPECT_NE(metrics->body.find(R"(gateway_calls_total{code="ok",method="ListStores"} 1)"), std::string::npos)
      << metrics->body.substr(0, 2000);
  const auto page = client.Get("/");
  ASSERT_EQ(page->status, 200);
  EXPECT_NE(page->body.find("巡店"), std::string::npos);
  EXPECT_NE(page->get_header_value("Content-Security-Policy"), "");
  EXPECT_EQ(client.Get("/admin.token")->status, 404);
}

TEST(ConnectWords, EnvelopesAreChecked) {
  EXPECT_EQ(*open_envelope(envelope(0, "abc")), "abc");
  EXPECT_EQ(envelope(2, "{}"), std::string("\x02\0\0\0\x02{}", 7));
  EXPECT_FALSE(open_envelope(envelope(1, "abc")).has_value());
  EXPECT_FALSE(open_envelope(envelope(0, "abc") + "d").has_value());
  EXPECT_FALSE(open_envelope("").has_value());
  EXPECT_EQ(json_quoted("a\"\\\n\x01中"), "\"a\\\"\\\\\\n\\u0001中\"");
}

}  // namespace
}  // namespace xundian::gateway
