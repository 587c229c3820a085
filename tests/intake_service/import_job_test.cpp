// What an import puts into the journal, and what it tells.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "common/time.h"
#include "services/intake/buyer_key.h"
#include "services/intake/rejects.h"
#include "tests/intake_service/world.h"

namespace xundian::intake {
namespace {

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> keys(const std::vector<v1::Fact>& facts) {
  std::vector<std::string> keys;
  for (const v1::Fact& fact : facts) keys.push_back(fact.has_import_state() ? "import" : fact.has_tick() ? "tick" : fact.key());
  return keys;
}

TEST(ImportJob, CountsWhatIsNewUpdatedAndUnchanged) {
  World world;
  auto done = world.import({store_fact("shop"), order_fact("1", 1'000, "paid"), order_fact("2", 1'000, "paid")}, 1);
  EXPECT_EQ(done.error(), "");
  EXPECT_EQ(done.total().new_facts(), 3u);
  done = world.import({store_fact("shop"), order_fact("1", 1'000, "paid"), order_fact("2", 2'000, "shipped"),
                       order_fact("3", 1'000, "paid"), order_fact("3", 1'000, "paid")},
                      2);
  EXPECT_EQ(done.total().facts(), 5u);
  EXPECT_EQ(done.total().new_facts(), 1u);
  EXPECT_EQ(done.total().updated(), 1u);
  EXPECT_EQ(done.total().unchanged(), 3u);
  ASSERT_EQ(done.files_size(), 1);
  EXPECT_EQ(done.files(0).format(), "test.facts");
  EXPECT_EQ(keys(world.facts()), (std::vector<std::string>{"shop", "1", "2", "import", "3", "2", "import"}));
  EXPECT_EQ(world.fold().imports().at(2).done.facts(), 5u);
}

TEST(ImportJob, CountsTheSameWhileTheFoldLagsBehind) {
  World world;
  world.folds_stand_still = true;
  std::vector<v1::Fact> facts;
  for (int index = 0; index < 2'500; ++index) facts.push_back(order_fact(std::to_string(index), 1'000, "paid"));
  for (int index = 0; index < 2'500; ++index) facts.push_back(order_fact(std::to_string(index), 1'000, "paid"));
  const auto done = world.import(facts, 1);
  EXPECT_EQ(done.total().new_facts(), 2'500u);
  EXPECT_EQ(done.total().unchanged(), 2'500u);
  EXPECT_EQ(world.import(facts, 2).total().unchanged(), 5'000u);
}

TEST(ImportJob, UnderTheFactsClockAnyOrderOfFilesAndRowsGivesOneJournal) {
  std::vector<v1::Fact> facts;
  for (int index = 0; index < 40; ++index)
    facts.push_back(order_fact(std::to_string(index % 17), 1'000 + index % 9, fmt::format("s{}", index % 3)));
  facts.push_back(store_fact("shop"));
  std::vector<std::string> first;
  for (unsigned seed = 0; seed < 8; ++seed) {
    std::mt19937 random(seed);
    std::shuffle(facts.begin(), facts.end(), random);
    World world(Clock::facts);
    size_t next = 0;
    const auto done = world.import_files(
        {"a.csv", "b.csv"},
        [&](const std::string& path, const ImportOptions&, const auto& tell, const auto&, const auto&) {
          const size_t end = path.ends_with("a.csv") ? 10 + seed : facts.size();
          for (; next < end; ++next) tell(v1::Fact(facts[next]));
          return Result<std::vector<FileReport>>(std::vector<FileReport>(1));
        },
        5);
    ASSERT_EQ(done.error(), "");
    std::vector<std::string> said;
    for (const v1::Fact& fact : world.facts())
      if (!fact.has_import_state()) said.push_back(fact.ShortDebugString());
    if (seed == 0) first = said;
    ASSERT_EQ(said, first) << "seed " << seed;
    EXPECT_TRUE(world.facts().front().has_store_state());
    const auto now = world.facts().back();
    ASSERT_TRUE(now.has_tick());
    EXPECT_EQ(now.tick().time_ms(), 1'008);
    EXPECT_EQ(world.fold().stores().find("shop")->live_from_ms, 0);
  }
}

TEST(ImportJob, OfAFileThatBeginsWithTheNewestTheOldestIsSaidFirst) {
  World world;
  std::vector<v1::Fact> facts;
  for (int age = 0; age < 9; ++age) facts.push_back(order_fact(std::to_string(age), 9'000 - age * 1'000, "paid"));
  facts.push_back(store_fact("shop"));
  EXPECT_EQ(world.import(facts, 1).total().new_facts(), 10u);
  EXPECT_EQ(keys(world.facts()), (std::vector<std::string>{"shop", "8", "7", "6", "5", "4", "3", "2", "1", "0", "import"}));
}

TEST(ImportJob, AStoreThatAFormatMakesIsNewsFromItsMidnightOn) {
  World world;
  world.import({store_fact("shop")}, 1);
  const Zone shanghai = *Zone::find("Asia/Shanghai");
  EXPECT_EQ(world.fold().stores().find("shop")->live_from_ms, shanghai.start_of(shanghai.day_of(world.now_ms)));
  const Millis live_from = world.fold().stores().find("shop")->live_from_ms;
  world.now_ms += 3 * day_ms;  // A later import does not move it.
  EXPECT_EQ(world.import({store_fact("shop")}, 2).total().unchanged(), 1u);
  EXPECT_EQ(world.fold().stores().find("shop")->live_from_ms, live_from);
}

TEST(ImportJob, AFileOfNoUseLeavesNothingBehind) {
  World world;
  const auto failed = world.import_files(
      {"a.csv"},
      [](const std::string&, const ImportOptions&, const auto& tell, const auto&, const auto&) {
        tell(order_fact("1", 1'000, "paid"));
        return Result<std::vector<FileReport>>(fail(Code::invalid_argument, "a.csv is cut off"));
      },
      1);
  EXPECT_EQ(failed.error(), "a.csv is cut off");
  EXPECT_EQ(failed.error_code(), static_cast<uint32_t>(Code::invalid_argument));
  EXPECT_TRUE(world.facts().empty());
  EXPECT_EQ(world.import({order_fact("1", 1'000, "paid")}, 2).total().new_facts(), 1u);
}

TEST(ImportJob, WhatStandsInGoodFilesBeforeABadOneCanBeTakenBack) {
  World world;
  const auto failed = world.import_files(
      {"a.csv", "b.csv"},
      [](const std::string& path, const ImportOptions&, const auto& tell, const auto&, const auto&) {
        if (path.ends_with("b.csv")) return Result<std::vector<FileReport>>(fail(Code::invalid_argument, "b.csv is no table"));
        for (int index = 0; index < 1'500; ++index) tell(order_fact(std::to_string(index), 1'000, "paid"));
        return Result<std::vector<FileReport>>(std::vector<FileReport>(1));
      },
      7);
  EXPECT_NE(failed.error().find("import --undo 7"), std::string::npos) << failed.error();
  EXPECT_FALSE(world.merged().empty());
  EXPECT_EQ(world.undo(7).error(), "");
  EXPECT_TRUE(world.merged().empty());
}

TEST(ImportJob, AnImportThatTheBusRefusedIsNewWhenTriedAgain) {
  World world;
  world.bus_refuses = true;
  EXPECT_NE(world.import({order_fact("1", 1'000, "paid")}, 1).error(), "");
  world.bus_refuses = false;
  EXPECT_EQ(world.import({order_fact("1", 1'000, "paid")}, 2).total().new_facts(), 1u);
}

TEST(ImportJob, AFileThatIsNotThereIsUnusableInput) {
  World world;
  Task task;
  task.id = 1;
  task.scope = "default/default";
  task.import.add_paths("/nowhere/orders.csv");
  const auto outcome = run_import(task, world,
                                  [](const std::string&, const ImportOptions&, const auto&, const auto&, const auto&) {
                                    ADD_FAILURE() << "nothing is there to read";
                                    return Result<std::vector<FileReport>>(std::vector<FileReport>());
                                  },
                                  {[](const auto&) {}, [] { return false; }});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::invalid_argument);
}

TEST(ImportJob, RejectedRowsAreWrittenWithoutFormulas) {
  World world;
  const auto done = world.import_files(
      {"a.csv"},
      [](const std::string&, const ImportOptions&, const auto& tell, const auto& reject, const auto&) {
        tell(order_fact("1", 1'000, "paid"));
        tell(order_fact("2", 1'000, ""));  // States nothing.
        reject(Reject{"a.csv", 3, "金额", "\"=x\" is no amount", "=cmd(),\"b\""});
        return Result<std::vector<FileReport>>(std::vector<FileReport>{{"a.csv", "f", "GB18030", 3, 2, 1}});
      },
      9);
  EXPECT_EQ(done.total().rejected(), 2u);
  EXPECT_EQ(done.total().facts(), 1u);
  EXPECT_EQ(done.files(0).rejects_file(), world.path("imports/9.rejects.csv"));
  const std::string text = read_file(done.files(0).rejects_file());
  EXPECT_EQ(text.substr(0, text.find('\n')), "file,line,column,reason,row");
  EXPECT_NE(text.find("a.csv,3,金额,\"\"\"=x\"\" is no amount\",\"'=cmd(),\"\"b\"\"\"\n"), std::string::npos) << text;
  struct stat status {};
  ASSERT_EQ(::stat(done.files(0).rejects_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_FALSE(std::filesystem::exists(world.path("imports/10.rejects.csv")));
  world.import({order_fact("3", 1'000, "paid")}, 10);
  EXPECT_FALSE(std::filesystem::exists(world.path("imports/10.rejects.csv")));
}

TEST(ImportJob, TellsTablesOfOneFileApart) {
  World world;
  const auto done = world.import_files(
      {"a.zip"},
      [](const std::string&, const ImportOptions&, const auto& tell, const auto&, const auto&) {
        for (const char* key : {"1", "2", "1"}) tell(order_fact(key, 1'000, "paid"));
        return Result<std::vector<FileReport>>(
            std::vector<FileReport>{{"one.csv", "f", "UTF-8", 2, 2, 0}, {"two.csv", "f", "UTF-8", 1, 1, 0}});
      },
      1);
  ASSERT_EQ(done.files_size(), 2);
  EXPECT_EQ(done.files(0).new_facts(), 2u);
  EXPECT_EQ(done.files(1).unchanged(), 1u);
}

TEST(BuyerKey, IsMadeOnceForItsOwnerAlone) {
  World world;
  const std::string folder = world.path("keys");
  const auto key = BuyerKey::open_or_make(folder, "acme");
  ASSERT_TRUE(key);
  struct stat status {};
  ASSERT_EQ(::stat((folder + "/acme.buyer.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(status.st_size, 32);
  const auto again = BuyerKey::open_or_make(folder, "acme");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->hash("taobao", "tb_lily"), key->hash("taobao", "tb_lily"));
  EXPECT_EQ(again->id(), key->id());
  EXPECT_NE(key->hash("taobao", "tb_lily"), key->hash("jd", "tb_lily"));
  EXPECT_NE(BuyerKey::open_or_make(folder, "other")->hash("taobao", "tb_lily"), key->hash("taobao", "tb_lily"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
}

TEST(BuyerKey, RefusesADamagedKeyAndATenantThatIsAPath) {
  World world;
  std::filesystem::create_directory(world.path("keys"));
  std::ofstream(world.path("keys/acme.buyer.key")) << "short";
  EXPECT_EQ(BuyerKey::open_or_make(world.path("keys"), "acme").error().code, Code::data_loss);
  EXPECT_EQ(BuyerKey::open_or_make(world.path("keys"), "../acme").error().code, Code::invalid_argument);
  EXPECT_EQ(BuyerKey::open_or_make(world.path("keys"), "").error().code, Code::invalid_argument);
}

TEST(BuyerKey, IsHmacSha256OfPlatformAndId) {
  World world;
  std::filesystem::create_directory(world.path("keys"));
  std::ofstream(world.path("keys/t.buyer.key")) << std::string(32, 'k');
  // python3: hmac.new(b"k"*32, b"taobao\ntb_lily", "sha256").digest()
  const unsigned char mac[] = {0xca, 0xb0, 0x05, 0xd0, 0x68, 0x17, 0x46, 0x66, 0x8f, 0xc4, 0x87, 0xd2, 0x7e, 0xb9, 0x05, 0xe3,
                               0x59, 0xb2, 0x35, 0x0a, 0x4d, 0x0b, 0x9b, 0x47, 0xe9, 0xde, 0x71, 0x24, 0x23, 0x4c, 0x9e, 0x7e};
  EXPECT_EQ(BuyerKey::open_or_make(world.path("keys"), "t")->hash("taobao", "tb_lily"),
            hash64({reinterpret_cast<const char*>(mac), sizeof mac}));
}

}  // namespace
}  // namespace xundian::intake
