// Where both the scan of an order and the protobuf parser can read the bytes, they read the same; both pass over a field of another
// wire type than the schema's.
#include "common/order_scan.h"

#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

bool same(const OrderScan& scan, const v1::OrderState& order) {
  if (scan.lines.size() != static_cast<size_t>(order.lines_size())) return false;
  for (int i = 0; i < order.lines_size(); ++i) {
    const OrderLineScan& line = scan.lines[static_cast<size_t>(i)];
    const v1::OrderLine& parsed = order.lines(i);
    if (line.sku != parsed.sku() || line.product != parsed.product() || line.quantity != parsed.quantity() ||
        line.amount_micros != parsed.amount_micros() || line.withdrawn != parsed.withdrawn())
      return false;
  }
  return scan.created_ms == order.placed().created_ms() && scan.buyer == order.placed().buyer() &&
         scan.buyer_key_id == order.placed().buyer_key_id() && scan.currency_code == order.placed().currency_code() &&
         scan.channel == order.placed().channel() && scan.agent == order.placed().agent() &&
         scan.paid_ms == order.paid().paid_ms() && scan.paid_amount_micros.has_value() == order.paid().has_amount_micros() &&
         scan.paid_amount_micros.value_or(0) == order.paid().amount_micros() && scan.status == order.status().status() &&
         scan.shipped_ms == order.shipped().shipped_ms() && scan.promised_ms == order.shipped().promised_ms() &&
         scan.received_ms == order.received().received_ms() && scan.closed_ms == order.closed().closed_ms() &&
         scan.refunded_micros == order.refunded().amount_micros();
}

// The body of a fact around the bytes of a state, and a head that says how many lines there are.
std::string frame_of(std::string_view state, uint16_t lines) {
  std::string body = "\xc2\x0c";  // Field 200, bytes.
  for (size_t left = state.size();; left >>= 7) {
    body += static_cast<char>(left < 128 ? left : (left & 127) | 128);
    if (left < 128) break;
  }
  body += state;
  FactHead head;
  head.kind = v1::Fact::kOrderState;
  head.line_count = lines;
  head.aspects = lines > 0 ? 1u << lines_aspect : 0;
  head.body_bytes = static_cast<uint32_t>(body.size());
  std::string frame;
  append(frame, head);
  frame.append(16 * size_t{lines}, '\0');
  return frame + body;
}

}  // namespace
}  // namespace xundian::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  const std::string_view bytes = fuzz::as_text(data, size);
  v1::OrderState order;
  const bool parsed = order.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  order.DiscardUnknownFields();
  const auto lines = static_cast<uint16_t>(std::min(order.lines_size(), 1000));
  OrderScan scan;
  const std::string frame = fuzz::frame_of(bytes, lines);
  const bool scanned = scan.scan(FactView(frame, 0, 0));
  if (parsed && scanned) CHECK(fuzz::same(scan, order), "the scan reads another order than the parser");
  if (!parsed) return 0;
  // What our own code frames, the scan must be able to read: its writer leaves nothing odd behind.
  v1::Fact fact;
  fact.set_store("s");
  fact.set_key("o");
  *fact.mutable_order_state() = order;
  std::string framed;
  if (!append_frame(framed, fact)) return 0;
  CHECK(scan.scan(FactView(framed, 0, 0)), "the scan cannot read what was framed");
  CHECK(fuzz::same(scan, order), "the scan reads another order than was framed");
  return 0;
}
