// Several services are asked at once; one that is silent takes nothing from what the others say.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <future>
#include <thread>

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

// Answers every question with the same, until it is gone; with nothing in it as a service of an empty home does.
class Answering {
 public:
  Answering(const std::string& home, const std::string& service, const std::string& answer = {})
      : server_(Home::open(home)->endpoint(service + ".0.query"), [answer](auto, auto) { return answer; }),
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
    query::v1::MetricRow& row = *part.figures().Add();
    row.set_store(store);
    row.set_metric(metric);
    row.set_unit("money");
    row.set_numerator(figure);
    row.set_denominator(3);
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

}  // namespace
}  // namespace xundian::gateway
