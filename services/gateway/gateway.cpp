#include "services/gateway/gateway.h"

#include "common/log.h"

namespace xundian::gateway {

Gateway::Gateway(const Settings& settings, Home home, std::unique_ptr<TokenBook> tokens)
    : settings_(settings),
      home_(std::move(home)),
      tokens_(std::move(tokens)),
      api_(settings_, home_),
      door_(settings_, api_, *tokens_) {}

Result<std::unique_ptr<Gateway>> Gateway::start(const Settings& settings) {
  TRY_VOID(check_settings(settings));
  Home home = TRY(Home::open(settings.home, settings.home_wait_ms));
  auto tokens = TRY(TokenBook::open(settings.home));
  std::unique_ptr<Gateway> gateway(new Gateway(settings, std::move(home), std::move(tokens)));
  gateway->grpc_ = TRY(GrpcServer::start(gateway->settings_, gateway->door_));
  gateway->http_ = TRY(HttpServer::start(gateway->settings_, gateway->door_));
  spdlog::info("gateway_ready http_port={} grpc_port={} tls={}", gateway->http_port(), gateway->grpc_port(), settings.tls());
  return gateway;
}

Gateway::~Gateway() {
  api_.stop();  // Streams end by themselves; what is under way is finished.
  http_.reset();
  grpc_.reset();
}

}  // namespace xundian::gateway
