// The bodies of calls, as JSON, as protobuf and enveloped: what is understood once is understood the same when it is said back;
// what is not is refused in words that a JSON answer can carry.
#include <google/protobuf/struct.pb.h>

#include "services/gateway/connect.h"
#include "services/gateway/methods.h"
#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

std::vector<std::unique_ptr<google::protobuf::Message>> requests() {
  std::vector<std::unique_ptr<google::protobuf::Message>> all;
#define ADD(Method, function, verb, unnamed) all.push_back(std::make_unique<gateway::v1::Method##Request>());
  XUNDIAN_UNARY_METHODS(ADD)
  XUNDIAN_STREAM_METHODS(ADD)
#undef ADD
  return all;
}

}  // namespace
}  // namespace xundian::fuzz

// First which call, then how its body comes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  using namespace xundian::gateway;
  static const auto requests = fuzz::requests();
  ByteReader input(fuzz::as_text(data, size));
  const auto& empty = requests[input.take<uint8_t>() % requests.size()];
  const auto how = input.take<uint8_t>();
  if (!input.ok()) return 0;
  std::string_view body = fuzz::as_text(data, size).substr(2);
  if (how & 2) {
    const auto opened = open_envelope(body);
    if (!opened) return 0;
    body = *opened;
  }
  const std::unique_ptr<google::protobuf::Message> request(empty->New()), again(empty->New());
  const auto parsed = parse(how & 1 ? Codec::proto : Codec::json, body, *request);
  if (!parsed) {
    google::protobuf::Struct answer;
    const std::string text = error_json(parsed.error());
    CHECK(parse(Codec::json, text, answer).has_value(), "an error is no JSON");
    return 0;
  }
  if (how & 1) return 0;  // Unknown enum numbers of protobuf have no words in JSON.
  const std::string said = serialize(Codec::json, *request);
  const auto understood = parse(Codec::json, said, *again);
  CHECK(understood.has_value(), understood.error().message);
  CHECK(request->SerializeAsString() == again->SerializeAsString(), "a request is another when it is said back");
  return 0;
}
