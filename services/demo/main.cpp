// xundian-demo: writes the export files of a small trade that never was; the same files for the same seed.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "services/demo/exports.h"

int main(int argc, char** argv) {
  using namespace xundian;
  CLI::App app{
      "Writes the export files of a few made-up stores, to try Xundian with.\nexample: xundian-demo --out ./exports --days 60 "
      "--seed 1"};
  std::string out, last_text = "2026-11-20";
  int days = 60;
  uint64_t seed = 1;
  app.add_option("--out", out, "the folder to write to; one folder @STORE for each store is made in it")->required();
  app.add_option("--days", days, "how many days")->check(CLI::Range(1, 400))->capture_default_str();
  app.add_option("--last", last_text, "the last day, YYYY-MM-DD")->capture_default_str();
  app.add_option("--seed", seed, "another seed, another trade")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto last = parse_day(last_text);
  if (!last) {
    fmt::print(stderr, "--last: {}\n", last.error().message);
    return 2;
  }
  const bool show = ::isatty(STDERR_FILENO) == 1;
  const auto written = demo::write_exports(demo::make_world(seed, *last, days), out, [&](size_t done, size_t all) {
    if (show) fmt::print(stderr, "\rwriting exports: day {} of {}{}", done, all, done == all ? "\n" : "");
  });
  if (!written) {
    fmt::print(stderr, "{}\n", written.error().message);
    return 1;
  }
  for (const std::string& path : *written) fmt::print("{}\n", path);
  return 0;
}
