#include "services/bus/config.h"

#include "common/config.h"

namespace xundian::bus {

namespace {

constexpr int64_t mebibyte = 1 << 20;

const char* name_of(Clock clock) { return clock == Clock::wall ? "wall" : "facts"; }

}  // namespace

HomeSettings Config::wanted() const {
  HomeSettings settings;
  settings.clock = clock.value_or(settings.clock);
  settings.partitions = partitions.value_or(settings.partitions);
  settings.buses = buses.value_or(settings.buses);
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
  return {};
}

Result<Clock> parse_clock(std::string_view text) {
  if (text == "wall") return Clock::wall;
  if (text == "facts") return Clock::facts;
  return fail(Code::invalid_argument, "the clock \"{}\" is not known; it is \"wall\" or \"facts\"", text);
}

Result<Config> read_config(const std::string& path) {
  Config config;
  if (path.empty()) return config;
  ConfigTable file = TRY(ConfigTable::read_file(path));
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
  if (table->get("volume_bytes", number, mebibyte, 1024 * 1024 * mebibyte)) config.volume_bytes = static_cast<size_t>(number);
  if (table->get("credit_bytes", number, mebibyte, 64 * 1024 * mebibyte)) config.credit_bytes = static_cast<size_t>(number);
  TRY_VOID(table->done());
  return config;
}

std::string print_config(const Config& config) {
  const HomeSettings wanted = config.wanted();
  return fmt::format(
      "[bus]\n"
      "# These three are fixed when a home is made.\n"
      "clock = \"{}\"       # \"wall\": the bus's own; \"facts\": the facts' own times (demo, rehearsal)\n"
      "partitions = {}      # a group's facts lie in one, in one order\n"
      "buses = {}           # bus b of n keeps the partitions p with p mod n = b\n"
      "volume_bytes = {}    # a new volume of the journal begins when one has taken this much\n"
      "credit_bytes = {}    # more than this waiting for the disk is refused as busy\n",
      name_of(wanted.clock), wanted.partitions, wanted.buses, config.volume_bytes, config.credit_bytes);
}

}  // namespace xundian::bus
