#include "common/home.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "common/clock.h"
#include "common/config.h"

namespace xundian {

namespace {

constexpr size_t socket_path_max = 107;  // Of sun_path, without its end.
constexpr size_t socket_name_max = 32;   // The longest name of an endpoint that a home must have room for.

Result<std::string> random_id() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return fail(Code::internal, "no random bytes for the home's id: {}", std::strerror(errno));
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

Result<void> sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (!done) return fail(Code::internal, "the folder {} cannot be synced: {}", folder, std::strerror(errno));
  return {};
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Makes a folder that only its owner may enter, and those above it; durable, or a power cut takes all that is put into it.
Result<void> make_folder(const std::string& folder) {
  for (size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    const std::string part = folder.substr(0, slash);
    if (mkdir(part.c_str(), 0700) == 0) {
      TRY_VOID(sync_folder(parent_of(part)));
    } else if (errno != EEXIST) {
      return fail(Code::failed_precondition, "the folder {} cannot be made: {}", part, std::strerror(errno));
    }
    if (slash == std::string::npos) return {};
  }
}

// The file appears whole or not at all; if another process was faster, its file stays.
Result<void> write_once(const std::string& path, std::string_view text) {
  const std::string draft = fmt::format("{}.{}", path, getpid());
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::failed_precondition, "{} cannot be written: {}", draft, std::strerror(errno));
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  close(fd);
  const bool linked = written && (link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  unlink(draft.c_str());
  if (!linked) return fail(Code::internal, "{} cannot be written: {}", path, std::strerror(error));
  return {};
}

std::string settings_text(const HomeSettings& settings) {
  return fmt::format(
      "# Fixed when this home was made; the journal beside it was written under these settings.\n"
      "id = \"{}\"\nclock = \"{}\"\npartitions = {}\nbuses = {}\nengine = \"{}\"\n",
      settings.id, settings.clock == Clock::wall ? "wall" : "facts", settings.partitions, settings.buses,
      name_of(settings.engine));
}

Result<HomeSettings> read_settings(const std::string& path) {
  ConfigTable table = TRY(ConfigTable::read_file(path));
  HomeSettings settings;
  std::string clock;
  int64_t partitions = 0;
  int64_t buses = 0;
  const bool whole = table.get("id", settings.id) && table.get("clock", clock) && table.get("partitions", partitions, 1, 4096) &&
                     table.get("buses", buses, 1, 4096);
  std::string engine = name_of(Engine::lmdb);  // Older homes state none.
  table.get("engine", engine);
  TRY_VOID(table.done());
  settings.engine = TRY(parse_engine(engine));
  if (!whole || (clock != "wall" && clock != "facts"))
    return fail(Code::data_loss,
                "{} must state id, clock (\"wall\" or \"facts\"), partitions and buses; restore it from a backup", path);
  settings.clock = clock == "wall" ? Clock::wall : Clock::facts;
  settings.partitions = static_cast<uint32_t>(partitions);
  settings.buses = static_cast<uint32_t>(buses);
  return settings;
}

std::string without_slash(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

Result<void> check_length(const std::string& folder) {
  const size_t longest = folder.size() + std::strlen("/run/") + socket_name_max;
  if (longest <= socket_path_max) return {};
  return fail(Code::failed_precondition,
              "the path of the home {} is {} bytes too long for its sockets; choose a shorter XUNDIAN_HOME", folder,
              longest - socket_path_max);
}

}  // namespace

const char* name_of(Engine engine) { return engine == Engine::lmdb ? "lmdb" : "redis"; }

Result<Engine> parse_engine(std::string_view text) {
  if (text == "lmdb") return Engine::lmdb;
  if (text == "redis") return Engine::redis;
  return fail(Code::invalid_argument, "the engine \"{}\" is not known; it is \"lmdb\" or \"redis\"", text);
}

std::string Home::folder_from_environment() {
  const char* folder = std::getenv("XUNDIAN_HOME");
  return without_slash(folder != nullptr && *folder != '\0' ? folder : "./var");
}

Result<Home> Home::make(const std::string& folder, HomeSettings wanted) {
  const std::string home = without_slash(folder);
  TRY_VOID(check_length(home));
  for (const char* below : {"", "/run", "/snapshots", "/logs", "/keys", "/imports"}) TRY_VOID(make_folder(home + below));
  const std::string path = home + "/home.toml";
  if (access(path.c_str(), F_OK) != 0) {
    wanted.id = TRY(random_id());
    TRY_VOID(sync_folder(parent_of(home)));  // Whoever made the folder may have ended before that.
    TRY_VOID(write_once(path, settings_text(wanted)));
    TRY_VOID(sync_folder(home));
  }
  return open(home, 0);
}

Result<Home> Home::open(const std::string& folder, Millis wait_ms) {
  Home home;
  home.folder_ = without_slash(folder);
  TRY_VOID(check_length(home.folder_));
  const std::string path = home.path("home.toml");
  for (const Millis until = steady_ms() + wait_ms; access(path.c_str(), R_OK) != 0;) {
    if (steady_ms() >= until)
      return fail(Code::not_found, "there is no home in {}: {}: {}; start the bus, which makes it, or set XUNDIAN_HOME",
                  home.folder_, path, std::strerror(errno));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  home.settings_ = TRY(read_settings(path));
  return home;
}

std::string Home::path(std::string_view below) const { return fmt::format("{}/{}", folder_, below); }

std::string Home::journal_folder(uint32_t bus) const {
  return settings_.buses == 1 ? path("journal") : path(fmt::format("journal.{}", bus));
}

std::string Home::journal_key(uint32_t bus) const { return fmt::format("{{xundian:{}:{}}}:log", settings_.id, bus); }

std::string Home::endpoint(std::string_view name) const {
  const std::string socket = path(fmt::format("run/{}", name));
  CHECK(socket.size() <= socket_path_max, fmt::format("the socket path {} is longer than {} bytes", socket, socket_path_max));
  return "ipc://" + socket;
}

}  // namespace xundian
