// A home that an earlier release wrote is replayed to what that release knew: tests/golden/<release>/ holds the journal's
// commits, one behind the other, each preceded by its length, as a gzip, and the fingerprints. A release that is not there yet is
// written by REWRITE=1; one that is there is never written again.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/convergence/facts.h"
#include "tests/convergence/home.h"

namespace xundian::convergence {
namespace {

using Path = std::filesystem::path;

std::set<Path> releases() {
  std::set<Path> found;
  for (const auto& entry : std::filesystem::directory_iterator(GOLDEN)) found.insert(entry.path());
  return found;
}

void write_gzip(const Path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb9");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
}

std::string read_gzip(const Path& path) {
  std::string bytes;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return bytes;
  char buffer[65536];
  for (int count = 0; (count = gzread(file, buffer, sizeof buffer)) > 0;) bytes.append(buffer, static_cast<size_t>(count));
  EXPECT_EQ(gzclose(file), Z_OK) << path;
  return bytes;
}

// "metrics <fingerprint>", a line a service; and how much every service had said.
std::string known(const Log& log) {
  std::string text;
  for (const ServiceDefinition& definition : services()) {
    if (!definition.has_fingerprint) continue;
    Worker worker(definition, log);
    worker.read_all();
    text += definition.name + " " + worker.fingerprint().hex() + "\n";
  }
  return text;
}

void write_release(const Path& folder) {
  Dice dice(2026);
  std::vector<v1::Fact> facts, handling;
  for (uint64_t seed = 1; seed <= 400; ++seed) facts.push_back(make_fact(seed));
  for (uint64_t seed = 1; seed <= 40; ++seed) handling.push_back(make_handling(seed));
  const Lived lived = live(steps_of(facts, handling, dice), false, dice);
  std::string bytes;
  const auto reader = lived.log.reader();
  for (Position position = 0; position < lived.log.end();)
    position = reader
                   ->read(position, 1u << 20,
                          [&](const CommitView& commit) {
                            append_text(bytes, commit.bytes());
                            return true;
                          })
                   .value();
  std::filesystem::create_directories(folder);
  write_gzip(folder / "commits.bin.gz", bytes);
  std::ofstream(folder / "fingerprints.txt") << known(lived.log);
}

TEST(Golden, Row13_EarlierReleasesReplayToWhatTheyKnew) {
  const Path now = Path(GOLDEN) / RELEASE;
  if (std::getenv("REWRITE") != nullptr && !std::filesystem::exists(now)) write_release(now);
  EXPECT_TRUE(releases().contains(now)) << "this release has no golden home yet: REWRITE=1 writes it";
  for (const Path& release : releases()) {
    SCOPED_TRACE(release.filename().string());
    const std::string bytes = read_gzip(release / "commits.bin.gz");
    ASSERT_FALSE(bytes.empty());
    Log log;
    ByteReader commits(bytes);
    while (!commits.empty()) {
      const auto commit = CommitView::open(log.end(), commits.take_text());
      ASSERT_TRUE(commit.has_value()) << commit.error().message;
      log.copy(*commit);
    }
    std::ifstream file(release / "fingerprints.txt");
    const std::string expected{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(known(log), expected);
    // What that release said stands; this one says nothing on top.
    for (const ServiceDefinition& definition : services()) {
      Worker worker(definition, log);
      worker.read_all();
      EXPECT_TRUE(worker.take_answers().empty()) << definition.name;
    }
  }
}

}  // namespace
}  // namespace xundian::convergence
