// Notices on their way to a real receiver.
#include <arpa/inet.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <fstream>

#include "common/clock.h"
#include "common/time.h"
#include "services/alerts/addresses.h"
#include "services/alerts/courier.h"
#include "tests/alerts/receiver.h"

namespace xundian::alerts {
namespace {

namespace v1 = facts::v1;

// "whsec_" and the base64 of 32 bytes: 0, 1, … 31.
constexpr const char* secret_text = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

std::string secret_bytes() {
  std::string bytes;
  for (char c = 0; c < 32; ++c) bytes += c;
  return bytes;
}

class DeliveryTest : public ::testing::Test {
 protected:
  DeliveryTest() {
    char name[] = "/tmp/xd.XXXXXX";
    folder = mkdtemp(name);
    write_secret(secret_text, 0600);
  }
  ~DeliveryTest() override {
    ::unlink((folder + "/secret").c_str());
    ::rmdir(folder.c_str());
  }
  void write_secret(const std::string& text, mode_t mode) {
    std::ofstream(folder + "/secret") << text << "\n";
    ::chmod((folder + "/secret").c_str(), mode);
  }
  query::v1::ListDueNoticesResponse due(const std::string& url, uint32_t attempts = 0, int count = 1, bool allow_private = true) {
    query::v1::ListDueNoticesResponse response;
    for (int index = 0; index < count; ++index) {
      query::v1::DueNotice& notice = *response.add_due();
      notice.set_scope("default/default");
      notice.set_subscriber("desk");
      notice.set_attempts(attempts);
      notice.mutable_terms()->set_channel("webhook");
      notice.mutable_terms()->set_url(url);
      notice.mutable_terms()->set_secret_file(folder + "/secret");
      notice.mutable_terms()->set_allow_private_targets(allow_private);
      notice.mutable_alert()->set_store("s1");
      v1::AlertTerms& terms = *notice.mutable_alert()->mutable_terms();
      terms.set_alert(fmt::format("{:032x}", index));
      terms.set_change(3);
      terms.set_condition(v1::CONDITION_FIRING);
      terms.set_changed_ms(1'793'836'800'000);
      terms.mutable_finding()->set_rule("out_of_stock");
      terms.mutable_finding()->set_text_zh("“s1” 断货");
    }
    return response;
  }
  // Waits until as many attempts ended; fails after ten seconds.
  std::vector<v1::DeliveryAttempt> wait_for(Courier& courier, size_t count) {
    std::vector<v1::DeliveryAttempt> attempts;
    for (const Millis until = steady_ms() + 10'000; attempts.size() < count && steady_ms() < until;)
      for (const Courier::Report& report : courier.turn(100)) attempts.push_back(report.fact.delivery().attempt());
    EXPECT_EQ(attempts.size(), count);
    attempts.resize(count);
    return attempts;
  }
  static Courier::Options fast() {
    Courier::Options options;
    options.sender.timeout_ms = 5'000;
    return options;
  }
  std::string folder;
};

TEST_F(DeliveryTest, TriesAgainUnderTheSameId) {
  tests::Receiver receiver([](size_t index, httplib::Response& response) { response.status = index == 0 ? 500 : 200; });
  Courier courier(fast());
  const Millis before = wall_ms();
  courier.take(due(receiver.url()));
  const auto first = wait_for(courier, 1)[0];
  EXPECT_EQ(first.outcome(), "retry");
  EXPECT_EQ(first.status(), 500u);
  EXPECT_EQ(first.attempt(), 1u);
  EXPECT_GE(first.retry_ms(), before + 5'000);
  EXPECT_LE(first.retry_ms(), wall_ms() + 5'500);
  // The service has not folded it yet: nothing is sent twice.
  courier.take(due(receiver.url()));
  EXPECT_EQ(courier.in_flight(), 0u);
  courier.take(due(receiver.url(), 1));
  const auto second = wait_for(courier, 1)[0];
  EXPECT_EQ(second.outcome(), "delivered");
  EXPECT_EQ(second.attempt(), 2u);
  courier.take(due(receiver.url(), 1));
  EXPECT_EQ(courier.in_flight(), 0u);

  const auto got = receiver.got();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].id, std::string(32, '0') + ".3");
  EXPECT_EQ(got[0].id, got[1].id);
  EXPECT_EQ(got[0].body, got[1].body);
  for (const auto& one : got) {
    const std::string content = one.id + "." + one.timestamp + "." + one.body, key = secret_bytes();
    unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(content.data()),
         content.size(), digest, &length);
    EVP_EncodeBlock(text, digest, static_cast<int>(length));
    EXPECT_EQ(one.signature, std::string("v1,") + reinterpret_cast<const char*>(text));
    EXPECT_NEAR(std::stod(one.timestamp), static_cast<double>(wall_ms()) / 1000, 60);
  }
}

TEST_F(DeliveryTest, GoneIsDead) {
  tests::Receiver receiver([](size_t, httplib::Response& response) { response.status = 410; });
  Courier courier(fast());
  courier.take(due(receiver.url()));
  EXPECT_EQ(wait_for(courier, 1)[0].outcome(), "dead");
}

TEST_F(DeliveryTest, WaitsNoLongerThanItMust) {
  std::mutex mutex;
  std::condition_variable over;
  bool done = false;
  tests::Receiver receiver([&](size_t, httplib::Response&) {
    std::unique_lock lock(mutex);
    over.wait_for(lock, std::chrono::seconds(10), [&] { return done; });
  });
  Courier::Options options = fast();
  options.sender.timeout_ms = 200;
  Courier courier(options);
  courier.take(due(receiver.url()));
  const auto attempt = wait_for(courier, 1)[0];
  EXPECT_EQ(attempt.outcome(), "retry");
  EXPECT_EQ(attempt.status(), 0u);
  EXPECT_NE(attempt.error(), "");
  const std::lock_guard lock(mutex);
  done = true;
  over.notify_all();
}

TEST_F(DeliveryTest, PrivateNetworksAreRefused) {
  tests::Receiver receiver([](size_t, httplib::Response&) {});
  Courier courier(fast());
  for (const char* url :
       {"https://127.0.0.1/hook", "https://localhost/hook", "https://[::1]:8443/hook", "https://[::ffff:127.0.0.1]/"}) {
    auto notices = due(url, 0, 1, false);
    notices.mutable_due(0)->set_subscriber(url);
    courier.take(notices);
    const auto attempt = wait_for(courier, 1)[0];
    EXPECT_EQ(attempt.outcome(), "retry");
    EXPECT_NE(attempt.error().find("private network"), std::string::npos) << url << ": " << attempt.error();
  }
  courier.take(due(receiver.url(), 0, 1, false));
  EXPECT_NE(wait_for(courier, 1)[0].error().find("https://"), std::string::npos) << "no plain http without leave";
  EXPECT_TRUE(receiver.got().empty());
}

TEST_F(DeliveryTest, FollowsNobodyElsewhere) {
  tests::Receiver other([](size_t, httplib::Response&) {});
  tests::Receiver receiver([&](size_t, httplib::Response& response) { response.set_redirect(other.url(), 307); });
  Courier courier(fast());
  courier.take(due(receiver.url()));
  const auto attempt = wait_for(courier, 1)[0];
  EXPECT_EQ(attempt.outcome(), "retry");
  EXPECT_EQ(attempt.status(), 307u);
  EXPECT_TRUE(other.got().empty());
}

TEST_F(DeliveryTest, AReceiverMayAskForTime) {
  tests::Receiver receiver([](size_t, httplib::Response& response) {
    response.status = 429;
    response.set_header("Retry-After", "120");
  });
  Courier courier(fast());
  const Millis before = wall_ms();
  courier.take(due(receiver.url()));
  EXPECT_GE(wait_for(courier, 1)[0].retry_ms(), before + 120'000);
}

TEST_F(DeliveryTest, ALongAnswerIsCutAndCounts) {
  tests::Receiver receiver(
      [](size_t, httplib::Response& response) { response.set_content(std::string(1 << 20, 'x'), "text/plain"); });
  Courier courier(fast());
  courier.take(due(receiver.url()));
  EXPECT_EQ(wait_for(courier, 1)[0].outcome(), "delivered");
}

TEST_F(DeliveryTest, NoMoreThanFourAtATime) {
  std::mutex mutex;
  std::condition_variable changed;
  int here = 0, most = 0;
  bool open = false;
  tests::Receiver receiver([&](size_t, httplib::Response&) {
    std::unique_lock lock(mutex);
    most = std::max(most, ++here);
    changed.notify_all();
    changed.wait_for(lock, std::chrono::seconds(10), [&] { return open; });
    here -= 1;
  });
  Courier courier(fast());
  const auto notices = due(receiver.url(), 0, 10);
  courier.take(notices);
  courier.take(notices);
  EXPECT_EQ(courier.in_flight(), 4u);
  for (const Millis until = steady_ms() + 10'000; steady_ms() < until;) {
    courier.turn(10);
    const std::lock_guard lock(mutex);
    if (here == 4) break;
  }
  {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  wait_for(courier, 4);
  while (true) {
    courier.take(notices);
    if (courier.in_flight() == 0) break;
    wait_for(courier, courier.in_flight());
  }
  EXPECT_EQ(most, 4);
  EXPECT_EQ(receiver.got().size(), 10u);
}

TEST_F(DeliveryTest, SecretsAreNobodyElses) {
  const std::string path = folder + "/secret";
  EXPECT_EQ(read_secret(path).value(), secret_bytes());
  write_secret(secret_text, 0640);
  EXPECT_NE(read_secret(path).error().message.find("chmod 600"), std::string::npos);
  write_secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 0600);
  EXPECT_FALSE(read_secret(path).has_value());
  write_secret("whsec_AAEC", 0600);
  EXPECT_FALSE(read_secret(path).has_value()) << "too short";
  EXPECT_FALSE(read_secret(folder + "/none").has_value());
  Courier courier(fast());
  courier.take(due("https://example.com/"));
  EXPECT_EQ(wait_for(courier, 1)[0].outcome(), "retry") << "it may be put right";
}

TEST(Webhook, SignsAsTheStandardsOwnExample) {
  // Of the reference implementations' tests.
  unsigned char bytes[64];
  const std::string text = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const int length = EVP_DecodeBlock(bytes, reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  EXPECT_EQ(sign({reinterpret_cast<const char*>(bytes), static_cast<size_t>(length)}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                 R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Webhook, BodyIsJsonAndSmall) {
  query::v1::Alert alert;
  alert.set_store("s\"1\n");
  v1::AlertTerms& terms = *alert.mutable_terms();
  terms.set_alert("aa");
  terms.set_change(2);
  terms.set_condition(v1::CONDITION_RESOLVED);
  terms.mutable_finding()->set_severity(v1::SEVERITY_HIGH);
  terms.mutable_finding()->set_value_micros(-1'500'000);
  std::string long_text;
  for (int index = 0; index < 5'000; ++index) long_text += "货";
  terms.mutable_finding()->set_text_zh(long_text);
  for (int index = 0; index < 500; ++index) {
    v1::Evidence& item = *terms.mutable_finding()->add_evidence();
    item.set_name("e" + std::to_string(index));
    if (index == 0) item.set_value_micros(2'500'000), item.set_unit("money");
    if (index == 1) item.set_value_micros(250'000);
    if (index > 1) item.set_text(std::string(100, 'x'));
  }
  const std::string body = webhook_body(alert);
  EXPECT_LT(body.size(), 20'000u);
  google::protobuf::Struct parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(body, &parsed).ok()) << body;
  EXPECT_EQ(parsed.fields().at("type").string_value(), "alert.resolved");
  const auto& data = parsed.fields().at("data").struct_value().fields();
  EXPECT_EQ(data.at("store").string_value(), "s\"1\n");
  EXPECT_EQ(data.at("value").number_value(), -1.5);
  EXPECT_EQ(data.at("severity").string_value(), "high");
  EXPECT_EQ(data.at("evidence").struct_value().fields().at("e0").string_value(), "2.5");
  EXPECT_EQ(data.at("evidence").struct_value().fields().at("e1").number_value(), 0.25);
}

TEST(Webhook, ScheduleEndsWithTheTenthAttempt) {
  const Millis waits[] = {5 * second_ms, 5 * minute_ms, 30 * minute_ms, 2 * hour_ms, 5 * hour_ms,
                          10 * hour_ms,  14 * hour_ms,  20 * hour_ms,   24 * hour_ms};
  for (uint32_t attempt = 1; attempt <= 9; ++attempt) {
    EXPECT_EQ(judge({.status = 500, .error = {}}, attempt).outcome, "retry");
    EXPECT_EQ(judge({.status = 500, .error = {}}, attempt).wait_ms, waits[attempt - 1]);
  }
  EXPECT_EQ(judge({.status = 500, .error = {}}, 10).outcome, "dead");
  EXPECT_EQ(judge({.status = 204, .error = {}}, 10).outcome, "delivered");
  EXPECT_EQ(judge({.status = 302, .error = {}}, 1).outcome, "retry");
  EXPECT_EQ(judge({.status = 503, .retry_after_ms = 60'000, .error = {}}, 1).wait_ms, 60'000);
  EXPECT_EQ(judge({.status = 503, .retry_after_ms = 60'000, .error = {}}, 2).wait_ms, 5 * minute_ms)
      << "never sooner than the schedule";
  EXPECT_EQ(judge({.status = 500, .retry_after_ms = 60'000, .error = {}}, 1).wait_ms, 5 * second_ms);
  EXPECT_EQ(parse_retry_after("30", 0), 30'000);
  EXPECT_EQ(parse_retry_after("Thu, 05 Nov 2026 00:01:00 GMT", 1'793'836'800'000), 60'000);
  EXPECT_EQ(parse_retry_after("soon", 0), 0);
  EXPECT_EQ(parse_retry_after("-5", 0), 0);
}

TEST(Addresses, OnlyThePublicInternetIsPublic) {
  const auto is = [](const std::string& text) {
    sockaddr_storage storage{};
    auto& four = reinterpret_cast<sockaddr_in&>(storage);
    auto& six = reinterpret_cast<sockaddr_in6&>(storage);
    if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1)
      four.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1)
      six.sin6_family = AF_INET6;
    else
      ADD_FAILURE() << text;
    return is_public(reinterpret_cast<const sockaddr&>(storage));
  };
  for (const char* open :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
        "192.167.255.255", "192.169.0.0", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888"})
    EXPECT_TRUE(is(open)) << open;
  for (const char* closed : {"0.0.0.0",
                             "10.0.0.1",
                             "10.255.255.255",
                             "100.64.0.0",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.255",
                             "169.254.169.254",
                             "172.16.0.0",
                             "172.31.255.255",
                             "192.168.1.1",
                             "198.18.0.1",
                             "198.19.255.255",
                             "224.0.0.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::ffff:8.8.8.8",
                             "64:ff9b::808:808",
                             "fc00::1",
                             "fdff::1",
                             "fe80::1",
                             "ff02::1",
                             "2002:7f00:1::",
                             "2001::1",
                             "2001:db8::1"})
    EXPECT_FALSE(is(closed)) << closed;
}

TEST(Addresses, UrlsAreChecked) {
  for (const char* good : {"https://example.com/x", "https://example.com:443/", "https://example.com:8443/a?b=c"})
    EXPECT_TRUE(check_url(good, false).has_value()) << good;
  for (const char* bad : {"http://example.com/", "https://u:p@example.com/", "https://u@example.com/", "https://example.com:22/",
                          "file:///etc/passwd", "gopher://example.com/", "example.com", "", "https://"})
    EXPECT_FALSE(check_url(bad, false).has_value()) << bad;
  EXPECT_TRUE(check_url("http://10.0.0.1:3000/", true).has_value());
  EXPECT_FALSE(check_url("http://u@10.0.0.1:3000/", true).has_value());
}

}  // namespace
}  // namespace xundian::alerts
