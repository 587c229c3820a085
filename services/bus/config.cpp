#include "services/bus/config.h"

#include <unistd.h>

#include <charconv>

#include "common/config.h"

namespace xundian::bus {

namespace {

constexpr int64_t mebibyte = 1 << 20;

const char* name_of(Clock clock) { return clock == Clock::wall ? "wall" : "facts"; }

bool is_loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// "host:port", "[::1]:port"
bool parse_address(std::string_view text, RedisAddress& address) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return false;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view port = text.substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (host.empty() || read.ec != std::errc{} || read.ptr != port.data() + port.size() || address.port < 1 ||
      address.port > 65'535)
    return false;
  address.host = host;
  return true;
}

void read_redis(ConfigTable& table, Config& config) {
  int64_t number = 0;
  std::string text;
  table.get("redis_socket", config.redis.socket);
  table.get("redis_password_file", config.redis.password_file);
  if (table.get("redis_address", text) && !text.empty()) {
    if (!parse_address(text, config.redis))
      table.complain("redis_address", "must be \"host:port\"");
    else if (!config.redis.socket.empty())
      table.complain("redis_address", "redis_socket is stated too; one of them is enough");
    else if (!is_loopback(config.redis.host) && config.redis.password_file.empty())
      table.complain("redis_address", "is not on this machine: state redis_password_file");
  }
  if (table.get("redis_replicas", number, 0, 16)) config.redis_replicas = static_cast<uint32_t>(number);
  if (table.get("redis_window_bytes", number, 65'536, 64 * 1024 * mebibyte))
    config.redis_window_bytes = static_cast<size_t>(number);
  if (table.get_duration("redis_timeout", number)) {
    config.redis_timeout_ms = number;
    if (number < 50 || number > 60'000) table.complain("redis_timeout", "must lie between 50ms and 60s");
  }
}

}  // namespace

HomeSettings Config::wanted() const {
  HomeSettings settings;
  settings.clock = clock.value_or(settings.clock);
  settings.partitions = partitions.value_or(settings.partitions);
  settings.buses = buses.value_or(settings.buses);
  settings.engine = engine.value_or(settings.engine);
  return settings;
}

Result<void> Config::check(const Home& home) const {
  const HomeSettings& made = home.settings();
  const auto differs = [&](std::string_view key, const auto& is, const auto& asked) {
    return fail(Code::failed_precondition,
                "the home {} was made with {} = {}, not {}; that cannot be changed: take another home or {}", home.folder(), key,
                is, asked, is);
  };
  if (clock && *clock != made.clock) return differs("clock", name_of(made.clock), name_of(*clock));
  if (partitions && *partitions != made.partitions) return differs("partitions", made.partitions, *partitions);
  if (buses && *buses != made.buses) return differs("buses", made.buses, *buses);
  if (engine && *engine != made.engine) return differs("engine", xundian::name_of(made.engine), xundian::name_of(*engine));
  return {};
}

RedisOptions Config::redis_options(const Home& home, uint32_t bus) const {
  RedisOptions options;
  options.address = redis;
  const bool own = redis.socket.empty() && redis.host.empty();
  const auto is_there = [](const std::string& path) { return access(path.c_str(), F_OK) == 0; };
  if (own) options.address.socket = home.path("redis/redis.sock");
  if (own && redis.password_file.empty() && is_there(home.path("redis/password")))
    options.address.password_file = home.path("redis/password");
  options.key = home.journal_key(bus);
  options.folder = home.journal_folder(bus);
  options.replicas = redis_replicas.value_or(own && is_there(home.path("redis-replica")) ? 1 : 0);
  options.volume_bytes = volume_bytes;
  options.window_bytes = redis_window_bytes;
  options.timeout_ms = redis_timeout_ms;
  return options;
}

Result<Clock> parse_clock(std::string_view text) {
  if (text == "wall") return Clock::wall;
  if (text == "facts") return Clock::facts;
  return fail(Code::invalid_argument, "the clock \"{}\" is not known; it is \"wall\" or \"facts\"", text);
}

Result<Config> read_config(const std::string& path) {
  Config config;
  if (path.empty()) return config;
  ConfigTable file = TRY(ConfigTable::read_services(path));
  const auto table = file.table("bus");
  if (!table) return config;
  int64_t number = 0;
  std::string text;
  if (table->get("partitions", number, 1, 4096)) config.partitions = static_cast<uint32_t>(number);
  if (table->get("buses", number, 1, 64)) config.buses = static_cast<uint32_t>(number);
  if (table->get("clock", text)) {
    const auto clock = parse_clock(text);
    if (clock)
      config.clock = *clock;
    else
      table->complain("clock", clock.error().message);
  }
  if (table->get("engine", text)) {
    const auto engine = parse_engine(text);
    if (engine)
      config.engine = *engine;
    else
      table->complain("engine", engine.error().message);
  }
  if (table->get("volume_bytes", number, mebibyte, 1024 * 1024 * mebibyte)) config.volume_bytes = static_cast<size_t>(number);
  if (table->get("credit_bytes", number, mebibyte, 64 * 1024 * mebibyte)) config.credit_bytes = static_cast<size_t>(number);
  read_redis(*table, config);
  TRY_VOID(table->done());
  return config;
}

std::string print_config(const Config& config) {
  const HomeSettings wanted = config.wanted();
  const std::string address = config.redis.host.empty() ? "" : config.redis.text();
  return fmt::format(
      "[bus]\n"
      "# These four are fixed when a home is made.\n"
      "clock = \"{}\"       # \"wall\": the bus's own; \"facts\": the facts' own times (demo, rehearsal)\n"
      "partitions = {}      # a group's facts lie in one, in one order\n"
      "buses = {}           # bus b of n keeps the partitions p with p mod n = b\n"
      "engine = \"{}\"      # where the journal lies: \"lmdb\": on this machine's disk; \"redis\": in Redis\n"
      "volume_bytes = {}    # a new volume of the journal begins when one has taken this much\n"
      "credit_bytes = {}    # more than this waiting for the disk is refused as busy\n"
      "# With the engine \"redis\". Without socket and address: the one that deploy/redis starts in the home.\n"
      "redis_socket = \"{}\"\n"
      "redis_address = \"{}\"        # \"host:port\" instead of a socket\n"
      "redis_password_file = \"{}\"  # read by its owner alone\n"
      "redis_replicas = {}           # all that the primary has; each holds a commit before it is acknowledged\n"
      "redis_window_bytes = {}       # about so much stays in Redis; what is older lies in volumes in the home\n"
      "redis_timeout = \"{}ms\"       # for one command\n",
      name_of(wanted.clock), wanted.partitions, wanted.buses, xundian::name_of(wanted.engine), config.volume_bytes,
      config.credit_bytes, config.redis.socket, address, config.redis.password_file, config.redis_replicas.value_or(0),
      config.redis_window_bytes, config.redis_timeout_ms);
}

}  // namespace xundian::bus
