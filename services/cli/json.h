// Writes JSON, key by key, in the order that it is told.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace xundian::cli {

class Json {
 public:
  Json& begin_object() { return open('{'); }
  Json& end_object() { return close('}'); }
  Json& begin_array() { return open('['); }
  Json& end_array() { return close(']'); }
  Json& key(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    fresh_ = true;
    return *this;
  }
  Json& value(std::string_view text) {
    separate();
    quote(text);
    return *this;
  }
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(bool truth) { return raw(truth ? "true" : "false"); }
  Json& value(int64_t number) { return raw(fmt::format("{}", number)); }
  Json& value(uint64_t number) { return raw(fmt::format("{}", number)); }
  Json& value(uint32_t number) { return raw(fmt::format("{}", number)); }
  Json& value(int number) { return raw(fmt::format("{}", number)); }
  // The shortest text that reads back as the same number; whole numbers without a point.
  Json& value(double number) {
    if (!std::isfinite(number)) return null();
    if (number == std::floor(number) && std::abs(number) < 9e15) return value(static_cast<int64_t>(number));
    return raw(fmt::format("{}", number));
  }
  Json& null() { return raw("null"); }
  template <typename Value>
  Json& field(std::string_view name, const Value& of) {
    key(name);
    return value(of);
  }
  const std::string& text() const { return text_; }

 private:
  Json& open(char bracket) {
    separate();
    text_ += bracket;
    fresh_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    fresh_ = false;
    return *this;
  }
  Json& raw(std::string_view text) {
    separate();
    text_ += text;
    return *this;
  }
  void separate() {
    if (!fresh_) text_ += ',';
    fresh_ = false;
  }
  void quote(std::string_view text) {
    text_ += '"';
    for (const char letter : text) {
      if (letter == '"' || letter == '\\')
        (text_ += '\\') += letter;
      else if (letter == '\n')
        text_ += "\\n";
      else if (letter == '\t')
        text_ += "\\t";
      else if (static_cast<uint8_t>(letter) < 0x20)
        text_ += fmt::format("\\u{:04x}", static_cast<uint8_t>(letter));
      else
        text_ += letter;
    }
    text_ += '"';
  }

  std::string text_;
  bool fresh_ = true;  // Nothing stands before that a comma must divide from.
};

}  // namespace xundian::cli
