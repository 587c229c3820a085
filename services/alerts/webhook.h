// A notice as Standard Webhooks 1.0.0 want it: the body, its signature, and what an answer means.
#pragma once

#include <string>
#include <string_view>

#include "common/error.h"
#include "common/version.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::alerts {

// The signing secret in a file that nobody else may read: "whsec_" and 24 to 64 bytes in base64.
Result<std::string> read_secret(const std::string& path);

// "v1," and the base64 of HMAC-SHA256 over id.timestamp.body.
std::string sign(std::string_view secret, std::string_view id, int64_t timestamp_s, std::string_view body);

// The same for all attempts.
std::string webhook_id(const facts::v1::AlertTerms& terms);
// {"type":"alert.firing","timestamp":…,"data":{…}}, less than 20 KB.
std::string webhook_body(const query::v1::Alert& alert);

// How a request ended.
struct HttpOutcome {
  long status = 0;            // 0 = none came.
  Millis retry_after_ms = 0;  // As the receiver asks; 0 = it does not.
  std::string error;          // In words; empty if an answer came.
};

inline constexpr uint32_t attempts_max = 10;

// What became of attempt `attempt` (from 1): "delivered", "retry" with the time to wait, or "dead".
struct Verdict {
  std::string outcome;
  Millis wait_ms = 0;
};
Verdict judge(const HttpOutcome& outcome, uint32_t attempt);

// A Retry-After in seconds or as a date, as milliseconds from now; 0 if it is neither or too far away.
Millis parse_retry_after(const std::string& text, Millis now);

}  // namespace xundian::alerts
