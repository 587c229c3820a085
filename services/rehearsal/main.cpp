// Reads a RehearseRequest from standard input, plays, and writes a RehearseResponse to standard output.
#include <getopt.h>

#include <iostream>
#include <iterator>

#include "common/clock.h"
#include "common/home.h"
#include "common/log.h"
#include "common/pull_reader.h"
#include "services/rehearsal/rehearsal.h"

namespace {

using namespace xundian;

constexpr Millis progress_every_ms = 100;

void write(const query::v1::RehearseResponse& response) {
  const std::string bytes = response.SerializeAsString();
  const auto size = static_cast<uint32_t>(bytes.size());
  std::cout.write(reinterpret_cast<const char*>(&size), sizeof size) << bytes << std::flush;
}

Result<query::v1::RehearseResponse> rehearse(const std::string& folder, const std::string& question) {
  query::v1::RehearseRequest request;
  if (!request.ParseFromString(question)) return fail(Code::invalid_argument, "standard input holds no RehearseRequest");
  const Home home = TRY(Home::open(folder));
  auto rehearsal = TRY(rehearsal::Rehearsal::make(std::move(request)));
  for (uint32_t bus = 0; bus < home.settings().buses; ++bus) {
    const auto reader = TRY(open_home_reader(home, bus));
    TRY_VOID(rehearsal.read(*reader));
  }
  Millis said_ms = 0;
  return rehearsal.play([&](uint64_t done, uint64_t all) {
    if (steady_ms() - said_ms < progress_every_ms) return;
    said_ms = steady_ms();
    query::v1::RehearseResponse so_far;
    so_far.set_facts_done(done);
    so_far.set_facts_all(all);
    write(so_far);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const option options[] = {
      {"home", required_argument, nullptr, 'o'}, {"help", no_argument, nullptr, 'h'}, {nullptr, 0, nullptr, 0}};
  std::string folder;
  for (int flag; (flag = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (flag != 'o') {
      std::cerr << "xundian-rehearsal: plays the past again with other rules; the gateway starts it.\n"
                   "  --home FOLDER   the home (else XUNDIAN_HOME, else ./var)\n"
                   "example: xundian rules rehearse team.toml --from 2026-11-01 --to 2026-11-11\n";
      return flag == 'h' ? 0 : 2;
    }
    folder = optarg;
  }
  start_log("rehearsal");
  const std::string question((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  const auto answer = rehearse(folder, question);
  if (!answer) {
    spdlog::error("rehearsal_failed why=\"{}\"", answer.error().message);
    return answer.error().code == Code::invalid_argument ? 2 : 1;
  }
  write(*answer);
  return std::cout ? 0 : 1;
}
