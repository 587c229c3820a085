// How the gateway is wired: addresses, TLS, limits; from the environment and the [gateway] table of XUNDIAN_CONFIG.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/version.h"

namespace xundian::gateway {

struct Settings {
  std::string home;                     // The home's folder.
  std::string http = "127.0.0.1:8080";  // host:port; port 0 = any free one.
  std::string grpc = "127.0.0.1:8081";
  std::string tls_cert_file;  // PEM; both or neither. Without them only loopback is served.
  std::string tls_key_file;
  int64_t workers = 16;               // Threads that carry out calls.
  int64_t streams_max = 64;           // Watches and imports at once.
  Millis service_timeout_ms = 2'000;  // How long a service has to answer.
  Millis home_wait_ms = 60'000;       // How long the gateway waits for the bus to make the home.

  bool tls() const { return !tls_cert_file.empty(); }
};

inline constexpr size_t message_bytes_max = 68u << 20;  // An import's 64 MB and its envelope.
inline constexpr Millis deadline_max_ms = 30'000;       // Of a call that is no stream.
inline constexpr Millis heartbeat_ms = 15'000;          // Of a stream that has nothing to say.

// Defaults, overridden by the file (if `config_file` is not empty), overridden by the environment.
Result<Settings> read_settings(const std::string& config_file);
// Outside loopback there is no start without TLS.
Result<void> check_settings(const Settings& settings);

struct Address {
  std::string host;
  int port = 0;
};
Result<Address> parse_address(const std::string& text);
bool is_loopback(const std::string& host);

}  // namespace xundian::gateway
