// WatchAlerts: no hole and no repeat, from any position, also in the middle of a commit.
#include <grpcpp/grpcpp.h>

#include "services/gateway/position.h"
#include "tests/gateway/fixture.h"
#include "xundian/gateway/v1/gateway_service.grpc.pb.h"

namespace xundian::gateway {
namespace {

class Watch : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    stub_ = v1::GatewayService::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", gateway_->grpc_port()), grpc::InsecureChannelCredentials()));
  }
  // A stream that is read until `count` alerts came.
  std::vector<v1::WatchAlertsResponse> read(v1::WatchAlertsRequest request, size_t count, const std::string& token = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    context.AddMetadata("authorization", "Bearer " + (token.empty() ? admin_token() : token));
    const auto reader = stub_->WatchAlerts(&context, request);
    std::vector<v1::WatchAlertsResponse> alerts;
    v1::WatchAlertsResponse message;
    while (alerts.size() < count && reader->Read(&message))
      if (message.has_alert()) alerts.push_back(message);
    context.TryCancel();
    return alerts;
  }
  static std::vector<std::string> names(const std::vector<v1::WatchAlertsResponse>& messages) {
    std::vector<std::string> result;
    for (const auto& message : messages) result.push_back(fmt::format("{}.{}", message.alert().key(), message.alert().change()));
    return result;
  }
  std::unique_ptr<v1::GatewayService::Stub> stub_;
};

TEST_F(Watch, GoesOnFromEveryPositionWithoutHoleOrRepeat) {
  append_alerts({alert_fact("a", "mall", 1, facts::v1::SEVERITY_HIGH), alert_fact("b", "mall", 1, facts::v1::SEVERITY_INFO),
                 alert_fact("a", "mall", 2, facts::v1::SEVERITY_HIGH)});
  append_alerts({alert_fact("c", "mall", 1, facts::v1::SEVERITY_HIGH), alert_fact("c", "mall", 2, facts::v1::SEVERITY_HIGH)});
  v1::WatchAlertsRequest request;
  request.set_position("beginning");
  const auto all = read(request, 5);
  ASSERT_EQ(names(all), (std::vector<std::string>{"a.1", "b.1", "a.2", "c.1", "c.2"}));
  for (size_t from = 0; from + 1 < all.size(); ++from) {
    request.set_position(all[from].position());
    const auto rest = names(read(request, all.size() - from - 1));
    const auto expected = names({all.begin() + static_cast<std::ptrdiff_t>(from) + 1, all.end()});
    EXPECT_EQ(rest, expected) << "from " << from;
  }
}

TEST_F(Watch, NowBeginsBehindWhatIsThere) {
  append_alerts({alert_fact("old", "mall", 1, facts::v1::SEVERITY_HIGH)});
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  context.AddMetadata("authorization", "Bearer " + admin_token());
  const auto reader = stub_->WatchAlerts(&context, v1::WatchAlertsRequest());
  v1::WatchAlertsResponse message;
  ASSERT_TRUE(reader->Read(&message));  // The sign of life that says: the stream stands here.
  EXPECT_FALSE(message.has_alert());
  const std::string position = message.position();
  append_alerts({alert_fact("new", "mall", 1, facts::v1::SEVERITY_HIGH)});
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.alert().key(), "new");
  context.TryCancel();
  v1::WatchAlertsRequest request;
  request.set_position(position);
  EXPECT_EQ(names(read(request, 1)), (std::vector<std::string>{"new.1"}));
}

TEST_F(Watch, ShowsWhatTheTokenMaySeeAndTheCallAsks) {
  append_alerts({alert_fact("a", "other", 1, facts::v1::SEVERITY_CRITICAL), alert_fact("b", "mall", 1, facts::v1::SEVERITY_INFO),
                 alert_fact("c", "mall", 1, facts::v1::SEVERITY_HIGH)});
  v1::WatchAlertsRequest request;
  request.set_position("beginning");
  EXPECT_EQ(names(read(request, 2, mall_token)), (std::vector<std::string>{"b.1", "c.1"}));
  request.set_severity("high");
  EXPECT_EQ(names(read(request, 2)), (std::vector<std::string>{"a.1", "c.1"}));
  request.add_stores("mall");
  EXPECT_EQ(names(read(request, 1)), (std::vector<std::string>{"c.1"}));
}

TEST_F(Watch, RefusesWhatIsNoPosition) {
  const Home home = *Home::open(folder_, 0);
  for (const std::string& position :
       {std::string("yesterday"), encode_position("another home", Heads(home.settings().partitions, 0))}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    context.AddMetadata("authorization", "Bearer " + admin_token());
    v1::WatchAlertsRequest request;
    request.set_position(position);
    const auto reader = stub_->WatchAlerts(&context, request);
    v1::WatchAlertsResponse message;
    EXPECT_FALSE(reader->Read(&message));
    EXPECT_NE(reader->Finish().error_code(), grpc::StatusCode::OK);
  }
}

TEST_F(Watch, ManyMoreThanAQueueHoldsComeInOrder) {
  std::vector<std::string> expected;
  uint32_t change = 0;
  for (int commit = 0; commit < 40; ++commit) {
    std::vector<facts::v1::Fact> facts;
    for (int fact = 0; fact < 100; ++fact) {
      facts.push_back(alert_fact("a", "mall", ++change, facts::v1::SEVERITY_HIGH));
      expected.push_back(fmt::format("a.{}", change));
    }
    append_alerts(facts);
  }
  v1::WatchAlertsRequest request;
  request.set_position("beginning");
  EXPECT_EQ(names(read(request, expected.size())), expected);
}

TEST(Position, GoesThereAndBack) {
  const Heads heads = {0, 1, 127, 128, 1ull << 40, ~0ull};
  EXPECT_EQ(*decode_position(encode_position("home", heads), "home", 6), heads);
  EXPECT_EQ(decode_position(encode_position("home", heads), "house", 6).error().code, Code::failed_precondition);
  EXPECT_EQ(decode_position(encode_position("home", heads), "home", 7).error().code, Code::invalid_argument);
  std::string text = encode_position("home", heads);
  for (size_t at = 0; at < text.size(); ++at) {
    std::string broken = text;
    broken[at] = broken[at] == 'A' ? 'B' : 'A';
    const auto decoded = decode_position(broken, "home", 6);
    if (decoded) {
      EXPECT_EQ(*decoded, heads) << at;  // The last letter has spare bits.
    }
  }
  EXPECT_FALSE(decode_position("", "home", 6).has_value());
}

}  // namespace
}  // namespace xundian::gateway
