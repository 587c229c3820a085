// A gateway of its own on free ports, in a home that is removed afterwards.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "services/gateway/gateway.h"

namespace xundian::gateway {

inline constexpr const char* reader_token = "the-reader";  // read, all stores.
inline constexpr const char* writer_token = "the-writer";  // read and write, all stores.
inline constexpr const char* mall_token = "the-mall";      // All verbs, the store "mall" alone.

class GatewayTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::string admin_token() const;
  // The status and body of a call over HTTP.
  struct Answer {
    int status = 0;
    std::string body, type;
  };
  Answer post(const std::string& method, const std::string& body, const std::string& token,
              const std::string& type = "application/json") const;
  // Appends alerts to the home's journal, as if a bus had; in partition 0, one commit.
  void append_alerts(const std::vector<facts::v1::Fact>& facts);

  std::string folder_;
  Millis service_timeout_ms_ = 20;  // Nobody answers here.
  std::unique_ptr<Gateway> gateway_;

 private:
  std::unique_ptr<JournalWriter> writer_;
  Heads heads_;
};

// Appends facts to a journal, as if a bus had: those of the group "default/default", one commit. `heads` are those before it, and
// go on.
void append_to(JournalWriter& writer, Heads& heads, const std::vector<facts::v1::Fact>& facts);

facts::v1::Fact alert_fact(const std::string& key, const std::string& store, uint32_t change, facts::v1::Severity severity);

// The messages of an enveloped stream, without the one that ends it; `end` gets that one's JSON.
std::vector<std::string> open_stream(std::string_view body, std::string& end);

}  // namespace xundian::gateway
