#include "services/gateway/connect.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "services/gateway/door.h"

namespace xundian::gateway {

int http_status(Code code) {
  switch (code) {
    case Code::cancelled:
      return 499;
    case Code::invalid_argument:
    case Code::failed_precondition:
    case Code::out_of_range:
      return 400;
    case Code::deadline_exceeded:
      return 504;
    case Code::not_found:
      return 404;
    case Code::already_exists:
    case Code::aborted:
      return 409;
    case Code::permission_denied:
      return 403;
    case Code::resource_exhausted:
      return 429;
    case Code::unimplemented:
      return 501;
    case Code::unavailable:
      return 503;
    case Code::unauthenticated:
      return 401;
    default:
      return 500;
  }
}

namespace {

// How many bytes of `text` are one character of UTF-8; 0 = its first byte begins none.
size_t character(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t size = lead < 0x80                   ? 1
                      : lead >= 0xc2 && lead < 0xe0 ? 2
                      : lead >= 0xe0 && lead < 0xf0 ? 3
                      : lead >= 0xf0 && lead < 0xf5 ? 4
                                                    : 0;
  if (size > text.size()) return 0;
  for (size_t index = 1; index < size; ++index)
    if ((static_cast<uint8_t>(text[index]) & 0xc0) != 0x80) return 0;
  const auto second = size > 2 ? static_cast<uint8_t>(text[1]) : uint8_t{0x90};
  const bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
                     (lead == 0xf4 && second > 0x8f);
  return wrong ? 0 : size;
}

}  // namespace

// Complaints quote what was sent, which may be no UTF-8; JSON must be.
std::string json_quoted(std::string_view text) {
  std::string json = "\"";
  for (size_t size = 0; !text.empty(); text.remove_prefix(std::max<size_t>(size, 1))) {
    size = character(text);
    const char letter = text[0];
    if (size == 0) json += "\xef\xbf\xbd";
    if (size > 1) json += text.substr(0, size);
    if (size != 1) continue;
    switch (letter) {
      case '"':
        json += "\\\"";
        break;
      case '\\':
        json += "\\\\";
        break;
      case '\n':
        json += "\\n";
        break;
      case '\r':
        json += "\\r";
        break;
      case '\t':
        json += "\\t";
        break;
      default:
        if (static_cast<uint8_t>(letter) < 0x20)
          json += fmt::format("\\u{:04x}", static_cast<uint8_t>(letter));
        else
          json += letter;
    }
  }
  return json + "\"";
}

std::string error_json(const Error& error) {
  return fmt::format("{{\"code\":\"{}\",\"message\":{}}}", code_name(error.code), json_quoted(error.message));
}

Result<void> parse(Codec codec, std::string_view bytes, google::protobuf::Message& message) {
  if (codec == Codec::proto) {
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return fail(Code::invalid_argument, "the body is no {}", message.GetDescriptor()->full_name());
    return {};
  }
  const auto parsed = google::protobuf::util::JsonStringToMessage({bytes.data(), bytes.size()}, &message);
  if (!parsed.ok())
    return fail(Code::invalid_argument, "the body is no {} as JSON: {}", message.GetDescriptor()->full_name(),
                parsed.message().ToString());
  return {};
}

std::string serialize(Codec codec, const google::protobuf::Message& message) {
  if (codec == Codec::proto) return message.SerializeAsString();
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(message, &json);
  CHECK(printed.ok(), "a message of ours cannot be printed as JSON");
  return json;
}

std::string envelope(uint8_t flags, std::string_view message) {
  const auto size = static_cast<uint32_t>(message.size());
  std::string bytes;
  bytes += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 255);
  bytes += message;
  return bytes;
}

Result<std::string_view> open_envelope(std::string_view body) {
  if (body.size() < 5) return fail(Code::invalid_argument, "the body has no envelope (a flag and four bytes of length)");
  uint32_t size = 0;
  for (int index = 1; index <= 4; ++index) size = size << 8 | static_cast<uint8_t>(body[static_cast<size_t>(index)]);
  if (body[0] & envelope_compressed) return fail(Code::unimplemented, "compressed messages are not taken; send identity");
  if (size != body.size() - 5)
    return fail(Code::invalid_argument, "the envelope says {} bytes and {} follow; one message makes this call", size,
                body.size() - 5);
  return body.substr(5);
}

std::string end_of_stream(const Result<void>& ended) {
  return envelope(envelope_end, ended ? "{}" : "{\"error\":" + error_json(ended.error()) + "}");
}

}  // namespace xundian::gateway
