// Several services are asked at once; one that is silent takes nothing from what the others say.
#include <thread>

#include "common/home.h"
#include "common/query.h"
#include "tests/gateway/fixture.h"

namespace xundian::gateway {
namespace {

using ServicesTest = GatewayTest;

// Answers every question with nothing in it, as a service of an empty home does, until it is gone.
class Answering {
 public:
  Answering(const std::string& home, const std::string& service)
      : server_(Home::open(home)->endpoint(service + ".0.query"), [](auto, auto) { return std::string(); }),
        thread_([this](const std::stop_token& stop) {
          zmq::pollitem_t items[] = {{server_.socket().handle(), 0, ZMQ_POLLIN, 0}};
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

}  // namespace
}  // namespace xundian::gateway
