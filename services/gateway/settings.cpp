#include "services/gateway/settings.h"

#include <charconv>
#include <cstdlib>

#include "common/config.h"
#include "common/home.h"

namespace xundian::gateway {

namespace {

void take_from_environment(const char* name, std::string& value) {
  const char* text = std::getenv(name);
  if (text != nullptr && *text != 0) value = text;
}

}  // namespace

Result<Address> parse_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return fail(Code::invalid_argument, "the address \"{}\" is not host:port; write for example 127.0.0.1:8080", text);
  Address address{text.substr(0, colon), 0};
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc{} || at != end || address.port < 0 || address.port > 65'535)
    return fail(Code::invalid_argument, "the address \"{}\" has no port between 0 and 65535", text);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']')
    address.host = address.host.substr(1, address.host.size() - 2);
  return address;
}

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<Settings> read_settings(const std::string& config_file) {
  Settings settings;
  if (!config_file.empty()) {
    ConfigTable file = TRY(ConfigTable::read_services(config_file));
    // Other tables are other services'; each reads its own and looks at no other.
    if (const auto table = file.table("gateway")) {
      table->get("http", settings.http);
      table->get("grpc", settings.grpc);
      table->get("tls_cert_file", settings.tls_cert_file);
      table->get("tls_key_file", settings.tls_key_file);
      table->get("workers", settings.workers, 1, 256);
      table->get("streams_max", settings.streams_max, 1, 1'000);
      table->get_duration("service_timeout", settings.service_timeout_ms);
      table->get_duration("home_wait", settings.home_wait_ms);
      TRY_VOID(table->done());
    }
  }
  settings.home = Home::folder_from_environment();
  take_from_environment("XUNDIAN_HTTP", settings.http);
  take_from_environment("XUNDIAN_GRPC", settings.grpc);
  return settings;
}

Result<void> check_settings(const Settings& settings) {
  if (settings.tls_cert_file.empty() != settings.tls_key_file.empty())
    return fail(Code::invalid_argument, "[gateway] tls_cert_file and tls_key_file must be given together");
  for (const std::string& text : {settings.http, settings.grpc}) {
    const Address address = TRY(parse_address(text));
    if (!is_loopback(address.host) && !settings.tls())
      return fail(Code::failed_precondition,
                  "{} is reachable from outside this machine, which needs TLS: set [gateway] tls_cert_file and tls_key_file, or "
                  "listen on 127.0.0.1",
                  text);
  }
  return {};
}

}  // namespace xundian::gateway
