// The scan of an order gives what the protobuf parser gives.
#include "common/order_scan.h"

#include <gtest/gtest.h>

#include "tests/unit/random_message.h"

namespace xundian {
namespace {

// Which of a message's optional parts an order's scan leaves at zero is the same for both: absent reads as zero.
void compare(const OrderScan& scan, const v1::OrderState& order) {
  ASSERT_EQ(scan.created_ms, order.placed().created_ms());
  ASSERT_EQ(scan.buyer, order.placed().buyer());
  ASSERT_EQ(scan.buyer_key_id, order.placed().buyer_key_id());
  ASSERT_EQ(scan.currency_code, order.placed().currency_code());
  ASSERT_EQ(scan.channel, order.placed().channel());
  ASSERT_EQ(scan.agent, order.placed().agent());
  ASSERT_EQ(scan.paid_ms, order.paid().paid_ms());
  ASSERT_EQ(scan.paid_amount_micros.has_value(), order.paid().has_amount_micros());
  ASSERT_EQ(scan.paid_amount_micros.value_or(0), order.paid().amount_micros());
  ASSERT_EQ(scan.status, order.status().status());
  ASSERT_EQ(scan.shipped_ms, order.shipped().shipped_ms());
  ASSERT_EQ(scan.promised_ms, order.shipped().promised_ms());
  ASSERT_EQ(scan.received_ms, order.received().received_ms());
  ASSERT_EQ(scan.closed_ms, order.closed().closed_ms());
  ASSERT_EQ(scan.refunded_micros, order.refunded().amount_micros());
  ASSERT_EQ(scan.lines.size(), static_cast<size_t>(order.lines_size()));
  for (int i = 0; i < order.lines_size(); ++i) {
    const OrderLineScan& line = scan.lines[static_cast<size_t>(i)];
    ASSERT_EQ(line.sku, order.lines(i).sku());
    ASSERT_EQ(line.product, order.lines(i).product());
    ASSERT_EQ(line.quantity, order.lines(i).quantity());
    ASSERT_EQ(line.amount_micros, order.lines(i).amount_micros());
    ASSERT_EQ(line.withdrawn, order.lines(i).withdrawn());
  }
}

v1::Fact random_order(Random& random) {
  v1::Fact fact;
  fact.set_store("s");
  fact.set_key("o");
  do fill(*fact.mutable_order_state(), random);
  while (fact.order_state().ByteSizeLong() == 0);
  return fact;
}

TEST(Frame, SaysWhereItsStateBegins) {
  Random random(4);
  for (int round = 0; round < 2'000; ++round) {
    const v1::Fact fact = random_order(random);
    std::string frame;
    ASSERT_TRUE(append_frame(frame, fact).has_value());
    const std::string state = fact.order_state().SerializeAsString();
    auto head = load<FactHead>(frame.data());
    ASSERT_EQ(head.payload_at, head.body_bytes - state.size());
    ASSERT_EQ(FactView(frame, 0, 0).payload(), state);
    // A head that does not say it, or says it wrongly: it is looked for.
    for (const uint32_t at : {0u, 1u, head.payload_at - 1, head.payload_at + 1, head.body_bytes - 1, head.body_bytes,
                              head.body_bytes + 1, UINT32_MAX}) {
      head.payload_at = at;
      store(frame.data(), head);
      ASSERT_EQ(FactView(frame, 0, 0).payload(), state) << at;
    }
  }
}

TEST(OrderScan, GivesWhatTheParserGives) {
  Random random(1);
  OrderScan scan;  // One for all, as a fold has it: nothing of an order may be left over in the next.
  size_t lines = 0;
  for (int i = 0; i < 5'000; ++i) {
    const v1::Fact fact = random_order(random);
    std::string frame;
    ASSERT_TRUE(append_frame(frame, fact).has_value());
    const FactView view(frame, 0, 0);
    ASSERT_TRUE(scan.scan(view));
    v1::OrderState parsed;
    ASSERT_TRUE(view.parse(parsed));
    compare(scan, parsed);
    if (HasFatalFailure()) FAIL() << fact.ShortDebugString();
    lines += scan.lines.size();
    ASSERT_TRUE(scan.scan(view, false));
    ASSERT_TRUE(scan.lines.empty());
    parsed.clear_lines();
    compare(scan, parsed);
    if (HasFatalFailure()) FAIL() << "without lines: " << fact.ShortDebugString();
  }
  EXPECT_GT(lines, 1'000u);
}

// Pieces of messages one behind the other are one message to the parser, whatever their order: what comes last counts.
TEST(ScanFields, TakesFieldsInAnyOrderAndTheLastOfEach) {
  Random random(3);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes;
    for (size_t piece = random() % 5; piece > 0; --piece) {
      v1::OrderPaid said;
      fill(said, random);
      if (random() % 4 == 0) said.GetReflection()->MutableUnknownFields(&said)->AddVarint(9, random());
      bytes += said.SerializeAsString();
    }
    v1::OrderPaid parsed;
    ASSERT_TRUE(parsed.ParseFromString(bytes));
    Millis paid_ms = 0;
    std::optional<int64_t> amount_micros;
    ASSERT_TRUE(scan_fields(bytes, scanned<varint_tag(1)>([&](FieldCursor& at) { paid_ms = at.millis(); }),
                            scanned<varint_tag(2)>([&](FieldCursor& at) { amount_micros = at.integer(); })));
    ASSERT_EQ(paid_ms, parsed.paid_ms());
    ASSERT_EQ(amount_micros.has_value(), parsed.has_amount_micros());
    ASSERT_EQ(amount_micros.value_or(0), parsed.amount_micros());
  }
}

// A number of any length is read wherever it stands, and one that is cut off is not, though bytes follow in memory.
TEST(FieldCursor, ReadsNumbersOfAnyLengthAnywhere) {
  for (uint32_t bits = 0; bits <= 64; ++bits) {
    const uint64_t number = bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
    v1::OrderPaid said;
    said.set_paid_ms(static_cast<int64_t>(number));
    if (number == 0) said.set_amount_micros(0);  // Written all the same.
    const std::string field = said.SerializeAsString();
    for (size_t before = 0; before <= 9; ++before) {
      for (size_t behind = 0; behind <= 9; ++behind) {
        const std::string bytes = std::string(before, 'x') + field + std::string(behind, 'y');
        FieldCursor at(bytes);
        at.take(before + 1);  // And the tag.
        ASSERT_EQ(at.long_number(), number) << bits << " bits behind " << before;
        ASSERT_TRUE(at.ok());
        ASSERT_EQ(at.take(behind), std::string(behind, 'y'));
        for (size_t cut = 1; cut < field.size() && behind > 0; ++cut) {
          FieldCursor cut_off(std::string_view(bytes).substr(0, before + field.size() - cut));
          cut_off.take(before + 1);
          ASSERT_EQ(cut_off.long_number(), 0u) << bits << " bits behind " << before << ", cut by " << cut;
          ASSERT_FALSE(cut_off.ok());
        }
      }
    }
  }
}

// A frame whose end is missing is refused or read as far as it goes, never beyond.
TEST(OrderScan, RefusesBrokenBytes) {
  Random random(2);
  OrderScan scan;
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string frame;
    ASSERT_TRUE(append_frame(frame, random_order(random)).has_value());
    auto head = load<FactHead>(frame.data());
    const size_t cut = 1 + random() % std::min<size_t>(head.body_bytes, 20);
    head.body_bytes -= static_cast<uint32_t>(cut);
    store(frame.data(), head);
    frame.resize(frame.size() - cut);
    refused += scan.scan(FactView(frame, 0, 0)) ? 0 : 1;
  }
  EXPECT_GT(refused, 250);
}

}  // namespace
}  // namespace xundian
