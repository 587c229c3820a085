// The Connect protocol's own words: codecs, envelopes, errors.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "common/error.h"
#include "services/gateway/methods.h"

namespace xundian::gateway {

enum class Codec { json, proto };

// An error's HTTP status.
int http_status(Code code);
// {"code":"…","message":"…"}
std::string error_json(const Error& error);
// A text as a JSON string, quotes included.
std::string json_quoted(std::string_view text);

// Unknown JSON fields are refused: a misspelt filter would otherwise show everything.
Result<void> parse(Codec codec, std::string_view bytes, google::protobuf::Message& message);
std::string serialize(Codec codec, const google::protobuf::Message& message);
// An answer, whichever way it was made.
inline Result<std::string> encode(Codec codec, const google::protobuf::Message& message) { return serialize(codec, message); }
template <typename Response>
Result<std::string> encode(Codec codec, Serialized<Response> response) {
  if (codec == Codec::proto) return std::move(response.bytes);
  Response message;
  if (!message.ParseFromString(response.bytes))
    return fail(Code::internal, "what a service wrote of its {} cannot be read", Response::descriptor()->name());
  return serialize(codec, message);
}

// A message of a stream: a flag, four bytes of length (the highest first), the message.
inline constexpr uint8_t envelope_compressed = 1, envelope_end = 2;
std::string envelope(uint8_t flags, std::string_view message);
// The one message of a request that is streamed.
Result<std::string_view> open_envelope(std::string_view body);
// What ends a stream: {} or {"error":{…}}.
std::string end_of_stream(const Result<void>& ended);

}  // namespace xundian::gateway
