#include "services/alerts/webhook.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "common/money.h"
#include "common/time.h"

namespace xundian::alerts {

namespace {

constexpr std::string_view secret_prefix = "whsec_";
constexpr size_t secret_bytes_min = 24, secret_bytes_max = 64, secret_file_bytes_max = 256;
constexpr size_t body_bytes_max = 20'000, text_bytes_max = 2'000;
constexpr Millis retry_after_ms_max = day_ms;

// How long to wait behind the first, second, … attempt.
constexpr std::array<Millis, attempts_max - 1> schedule = {5 * second_ms, 5 * minute_ms, 30 * minute_ms, 2 * hour_ms, 5 * hour_ms,
                                                           10 * hour_ms,  14 * hour_ms,  20 * hour_ms,   24 * hour_ms};

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  const auto padding = text.size() - std::min(text.find('='), text.size());
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const int length = text.size() % 4 != 0 || padding > 2
                         ? -1
                         : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                           reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return fail(Code::invalid_argument, "it is no base64");
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

// A text as JSON has it; a long one is cut between two characters.
std::string quoted(std::string_view text) {
  std::string cut(text.substr(0, text_bytes_max));
  if (cut.size() < text.size())
    while (!cut.empty() && (static_cast<unsigned char>(text[cut.size()]) & 0xc0) == 0x80) cut.pop_back();
  std::string json = "\"";
  for (const char c : cut) {
    if (c == '"' || c == '\\')
      json += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      json += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      json += c;
  }
  return json + "\"";
}

std::string word(std::string_view enum_name, std::string_view prefix) {
  std::string lower(enum_name.substr(std::min(prefix.size(), enum_name.size())));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// {"name":12.5,"other":"words"}, as far as it fits. Money stays exact, as a text.
std::string evidence_json(const facts::v1::FindingTerms& finding, size_t bytes_max) {
  std::string json;
  for (const facts::v1::Evidence& item : finding.evidence()) {
    std::string value = quoted(item.text());
    if (item.has_value_micros()) value = format_micros(item.value_micros());
    if (item.has_value_micros() && item.unit() == "money") value = quoted(value);
    const std::string entry = fmt::format("{}{}:{}", json.empty() ? "" : ",", quoted(item.name()), value);
    if (json.size() + entry.size() > bytes_max) break;
    json += entry;
  }
  return "{" + json + "}";
}

}  // namespace

Result<std::string> read_secret(const std::string& path) {
  if (path.empty()) return fail(Code::failed_precondition, "the subscriber names no secret_file");
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(Code::failed_precondition, "the secret file {} cannot be opened", path);
  struct stat info {};
  std::string text(secret_file_bytes_max, '\0');
  const bool known = ::fstat(file, &info) == 0;
  const ssize_t length = ::read(file, text.data(), text.size());
  ::close(file);
  if (!known || length < 0) return fail(Code::failed_precondition, "the secret file {} cannot be read", path);
  if ((info.st_mode & 077) != 0) return fail(Code::failed_precondition, "others may read the secret file {}; chmod 600 it", path);
  text.resize(static_cast<size_t>(length));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  auto secret = text.starts_with(secret_prefix) ? from_base64(std::string_view(text).substr(secret_prefix.size()))
                                                : Result<std::string>(fail(Code::invalid_argument, "it lacks whsec_"));
  if (!secret || secret->size() < secret_bytes_min || secret->size() > secret_bytes_max)
    return fail(Code::failed_precondition, "the secret file {} must hold whsec_ and {} to {} bytes in base64", path,
                secret_bytes_min, secret_bytes_max);
  return secret;
}

std::string sign(std::string_view secret, std::string_view id, int64_t timestamp_s, std::string_view body) {
  const std::string content = fmt::format("{}.{}.{}", id, timestamp_s, body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(content.data()),
       content.size(), digest.data(), &length);
  return "v1," + base64({reinterpret_cast<const char*>(digest.data()), length});
}

std::string webhook_id(const facts::v1::AlertTerms& terms) { return fmt::format("{}.{}", terms.alert(), terms.change()); }

std::string webhook_body(const query::v1::Alert& alert) {
  const facts::v1::AlertTerms& terms = alert.terms();
  const facts::v1::FindingTerms& finding = terms.finding();
  const std::string condition = word(facts::v1::Condition_Name(terms.condition()), "CONDITION_");
  std::string body = fmt::format(
      R"({{"type":"alert.{}","timestamp":"{}","data":{{"key":"{}","rule":{},"store":{},"entity_kind":{},)"
      R"("entity":{},"severity":"{}","condition":"{}","muting":"{}","episode":{},"since":"{}","text_zh":{},"text_en":{},)"
      R"("value":{},"owner":{},"next":{},"cause":{},"change":{},"evidence":)",
      condition, format_utc(terms.changed_ms()), terms.alert(), quoted(finding.rule()), quoted(alert.store()),
      quoted(finding.entity_kind()), quoted(finding.entity()), word(facts::v1::Severity_Name(finding.severity()), "SEVERITY_"),
      condition, word(facts::v1::Muting_Name(terms.muting()), "MUTING_"), terms.episode(), format_utc(terms.since_ms()),
      quoted(finding.text_zh()), quoted(finding.text_en()), format_micros(finding.value_micros()), quoted(finding.owner()),
      quoted(finding.next()), alert.cause(), terms.change());
  body += evidence_json(finding, body_bytes_max - std::min(body.size() + 10, body_bytes_max)) + "}}";
  return body;
}

Verdict judge(const HttpOutcome& outcome, uint32_t attempt) {
  if (outcome.status >= 200 && outcome.status < 300) return {"delivered", 0};
  if (outcome.status == 410 || attempt >= attempts_max) return {"dead", 0};
  Millis wait_ms = schedule[std::max(attempt, 1u) - 1];
  if (outcome.status == 429 || outcome.status == 503)
    wait_ms = std::max(wait_ms, std::min(outcome.retry_after_ms, retry_after_ms_max));
  return {"retry", wait_ms};
}

Millis parse_retry_after(const std::string& text, Millis now) {
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size())
    return std::clamp<int64_t>(seconds, 0, retry_after_ms_max / second_ms) * second_ms;
  const time_t date = curl_getdate(text.c_str(), nullptr);
  return date < 0 ? 0 : std::clamp<Millis>(Millis{date} * second_ms - now, 0, retry_after_ms_max);
}

}  // namespace xundian::alerts
