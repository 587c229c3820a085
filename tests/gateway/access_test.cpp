// Tokens and the one function that allows.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "services/gateway/auth.h"
#include "services/gateway/base64.h"
#include "services/gateway/settings.h"

namespace xundian::gateway {
namespace {

Principal principal(bool all, std::set<std::string> stores, bool read, bool write, bool admin) {
  Principal made;
  made.name = "test";
  made.tenant = "t";
  made.all_stores = all;
  made.stores = std::move(stores);
  made.may_read = read;
  made.may_write = write;
  made.may_admin = admin;
  return made;
}

bool allowed(const Principal& who, Verb verb, std::vector<std::string> stores, Unnamed unnamed = Unnamed::filtered,
             std::set<std::string> foreign = {}) {
  return allow(who, verb, stores, unnamed, foreign).has_value();
}

TEST(Allow, DeniesWhatIsNotGiven) {
  EXPECT_FALSE(allowed(Principal(), Verb::read, {}));
  EXPECT_FALSE(allowed(Principal(), Verb::admin, {}));
}

TEST(Allow, VerbsAreWhatTheySay) {
  const Principal reader = principal(true, {}, true, false, false), writer = principal(true, {}, false, true, false),
                  admin = principal(true, {}, false, false, true);
  EXPECT_TRUE(allowed(reader, Verb::read, {}));
  EXPECT_FALSE(allowed(reader, Verb::write, {}));
  EXPECT_FALSE(allowed(reader, Verb::admin, {}));
  EXPECT_FALSE(allowed(writer, Verb::read, {}));  // One who may only put may not look.
  EXPECT_TRUE(allowed(writer, Verb::write, {}));
  EXPECT_FALSE(allowed(writer, Verb::admin, {}));
  for (const Verb verb : {Verb::read, Verb::write, Verb::admin}) EXPECT_TRUE(allowed(admin, verb, {}));
}

TEST(Allow, StoresThatAreNamedMustBeGiven) {
  const Principal one = principal(false, {"a"}, true, true, true);
  EXPECT_TRUE(allowed(one, Verb::read, {"a"}));
  EXPECT_FALSE(allowed(one, Verb::read, {"b"}));
  EXPECT_FALSE(allowed(one, Verb::read, {"a", "b"}));
  EXPECT_TRUE(allowed(one, Verb::read, {}));
  EXPECT_FALSE(allowed(one, Verb::write, {}, Unnamed::every_store));
  EXPECT_TRUE(allowed(one, Verb::write, {"a"}, Unnamed::every_store));
}

TEST(Allow, AnotherTenantsStoreIsForbiddenEvenToAll) {
  const Principal all = principal(true, {}, true, true, true);
  EXPECT_TRUE(allowed(all, Verb::read, {"a"}, Unnamed::filtered, {"b"}));
  EXPECT_FALSE(allowed(all, Verb::read, {"b"}, Unnamed::filtered, {"b"}));
}

TEST(Allow, SaysTheSameOfForbiddenAndAbsent) {
  const Principal one = principal(false, {"a"}, true, false, false);
  const std::vector<std::string> forbidden = {"b"}, absent = {"no such store"};
  EXPECT_EQ(allow(one, Verb::read, forbidden, Unnamed::filtered, {}).error().message,
            allow(one, Verb::read, absent, Unnamed::filtered, {}).error().message);
}

class Tokens : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/xd.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Tokens, AdminIsMadeOnceAndPrivate) {
  ASSERT_TRUE(TokenBook::open(folder_).has_value());
  struct stat about {};
  ASSERT_EQ(stat((folder_ + "/admin.token").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  std::string first, second;
  std::getline(std::ifstream(folder_ + "/admin.token") >> std::ws, first);
  EXPECT_EQ(from_base64(first)->size(), 32u);
  ASSERT_TRUE(TokenBook::open(folder_).has_value());
  std::getline(std::ifstream(folder_ + "/admin.token") >> std::ws, second);
  EXPECT_EQ(first, second);
  chmod((folder_ + "/admin.token").c_str(), 0644);
  EXPECT_EQ(TokenBook::open(folder_).error().code, Code::failed_precondition);
}

TEST_F(Tokens, ExpireAndAreReadAgain) {
  const auto write = [&](const std::string& expires) {
    std::ofstream(folder_ + "/tokens.toml") << "[[token]]\nname = \"x\"\nsha256 = \"" << sha256_hex("secret")
                                            << "\"\nstores = [\"*\"]\nverbs = [\"read\"]\nexpires = \"" << expires << "\"\n";
  };
  write("1970-01-02");
  auto book = TokenBook::open(folder_);
  ASSERT_TRUE(book.has_value()) << book.error().message;
  const Millis day = 86'400'000;
  EXPECT_TRUE((*book)->authenticate("Bearer secret", 2 * day - 1).has_value());
  EXPECT_EQ((*book)->authenticate("Bearer secret", 2 * day).error().code, Code::unauthenticated);
  EXPECT_FALSE((*book)->authenticate("Bearer Secret", 0).has_value());
  EXPECT_FALSE((*book)->authenticate("secret", 0).has_value());
  EXPECT_FALSE((*book)->authenticate("", 0).has_value());
  write("1970-01-03 ");  // Wrong: the last good one stays in force.
  EXPECT_TRUE((*book)->authenticate("Bearer secret", day + 5'000).has_value());
  write("1970-02-10");
  EXPECT_TRUE((*book)->authenticate("Bearer secret", 2 * day).has_value());
}

TEST_F(Tokens, AWrongFileIsRefusedWithItsLine) {
  std::ofstream(folder_ + "/tokens.toml") << "[[token]]\nname = \"x\"\nsha256 = \"12\"\nstores = [\"*\"]\nverbs = [\"reed\"]\n";
  const auto book = TokenBook::open(folder_);
  ASSERT_FALSE(book.has_value());
  EXPECT_NE(book.error().message.find("tokens.toml"), std::string::npos) << book.error().message;
}

TEST(Base64, GoesThereAndBack) {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string("ab"), std::string("abc"), std::string("\0\xff\x80", 3)})
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  EXPECT_FALSE(from_base64("a+b").has_value());
}

TEST(Settings, OutsideLoopbackNeedsTls) {
  Settings settings;
  EXPECT_TRUE(check_settings(settings).has_value());
  settings.http = "0.0.0.0:8080";
  EXPECT_EQ(check_settings(settings).error().code, Code::failed_precondition);
  settings.tls_cert_file = "cert.pem";
  EXPECT_EQ(check_settings(settings).error().code, Code::invalid_argument);
  settings.tls_key_file = "key.pem";
  EXPECT_TRUE(check_settings(settings).has_value());
}

}  // namespace
}  // namespace xundian::gateway
