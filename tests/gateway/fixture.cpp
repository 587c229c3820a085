#include "tests/gateway/fixture.h"

#include <httplib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace xundian::gateway {

namespace {

void write_tokens(const std::string& path) {
  std::ofstream file(path);
  file << fmt::format("[[token]]\nname = \"reader\"\nsha256 = \"{}\"\ntenant = \"*\"\nstores = [\"*\"]\nverbs = [\"read\"]\n",
                      sha256_hex(reader_token));
  file << fmt::format(
      "[[token]]\nname = \"writer\"\nsha256 = \"{}\"\ntenant = \"*\"\nstores = [\"*\"]\nverbs = [\"read\", \"write\"]\n",
      sha256_hex(writer_token));
  file << fmt::format("[[token]]\nname = \"mall\"\nsha256 = \"{}\"\nstores = [\"mall\"]\nverbs = [\"admin\"]\n",
                      sha256_hex(mall_token));
}

}  // namespace

void GatewayTest::SetUp() {
  char name[] = "/tmp/xd.XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  folder_ = name;
  ASSERT_TRUE(Home::make(folder_, {}).has_value());
  write_tokens(folder_ + "/tokens.toml");
  Settings settings;
  settings.home = folder_;
  settings.http = settings.grpc = "127.0.0.1:0";
  settings.service_timeout_ms = service_timeout_ms_;
  auto started = Gateway::start(settings);
  ASSERT_TRUE(started.has_value()) << started.error().message;
  gateway_ = std::move(*started);
}

void GatewayTest::TearDown() {
  gateway_.reset();
  writer_.reset();
  std::filesystem::remove_all(folder_);
}

std::string GatewayTest::admin_token() const {
  std::ifstream file(folder_ + "/admin.token");
  std::string token;
  std::getline(file, token);
  return token;
}

GatewayTest::Answer GatewayTest::post(const std::string& method, const std::string& body, const std::string& token,
                                      const std::string& type) const {
  httplib::Client client("127.0.0.1", gateway_->http_port());
  client.set_read_timeout(20, 0);
  httplib::Headers headers = {{"Connect-Timeout-Ms", "300"}};  // No bus is there that could make anything durable.
  if (!token.empty()) headers.emplace("Authorization", "Bearer " + token);
  const auto result = client.Post("/xundian.gateway.v1.GatewayService/" + method, headers, body, type);
  if (!result) return {0, httplib::to_string(result.error()), ""};
  return {result->status, result->body, result->get_header_value("Content-Type")};
}

void GatewayTest::append_alerts(const std::vector<facts::v1::Fact>& facts) {
  const Home home = *Home::open(folder_, 0);
  if (!writer_) {
    auto writer = open_lmdb_writer(home.journal_folder(0));
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    writer_ = std::move(*writer);
    heads_.assign(home.settings().partitions, 0);
  }
  append_to(*writer_, heads_, facts);
}

void append_to(JournalWriter& writer, Heads& heads, const std::vector<facts::v1::Fact>& facts) {
  const auto partitions = static_cast<uint32_t>(heads.size());
  // Every fact is a batch of its own in one commit, so that a position lies inside a commit.
  std::vector<std::string> batches;
  const Heads before = heads;
  for (const facts::v1::Fact& fact : facts) {
    BatchBuilder builder;
    ASSERT_TRUE(builder.add(fact).has_value());
    const Partition partition = partition_of(group_hash("default/default"), partitions);
    BatchHeader header;
    header.producer = 1;
    header.sequence = heads[partition] + 1;
    std::string batch = builder.finish("default/default", partitions, header);
    BatchHeader written = BatchView::open(batch)->header();
    written.base = heads[partition];
    written.epoch = 1;
    written.time_ms = 1'000;
    write_header(batch, written);
    ++heads[partition];
    batches.push_back(std::move(batch));
  }
  const std::vector<std::string_view> views(batches.begin(), batches.end());
  const auto appended = writer.append(before, views);
  ASSERT_TRUE(appended.has_value()) << appended.error().message;
}

facts::v1::Fact alert_fact(const std::string& key, const std::string& store, uint32_t change, facts::v1::Severity severity) {
  facts::v1::Fact fact;
  fact.set_store(store);
  fact.set_key(key);
  fact.set_as_of_ms(1'000 + change);
  auto& terms = *fact.mutable_alert_state()->mutable_terms();
  terms.set_alert(key);
  terms.set_change(change);
  terms.set_condition(facts::v1::CONDITION_FIRING);
  terms.mutable_finding()->set_rule("out_of_stock");
  terms.mutable_finding()->set_severity(severity);
  return fact;
}

std::vector<std::string> open_stream(std::string_view body, std::string& end) {
  std::vector<std::string> messages;
  while (body.size() >= 5) {
    uint32_t size = 0;
    for (size_t index = 1; index <= 4; ++index) size = size << 8 | static_cast<uint8_t>(body[index]);
    const std::string message(body.substr(5, size));
    if (body[0] & 2)
      end = message;
    else
      messages.push_back(message);
    body.remove_prefix(std::min<size_t>(5 + size, body.size()));
  }
  return messages;
}

}  // namespace xundian::gateway
