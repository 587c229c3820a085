// A producer's side of the protocol, without sockets.
#include "common/link.h"

#include "tests/bus/harness.h"

namespace xundian::bus {
namespace {

class HeardLink final : public Link {
 public:
  HeardLink() : Link({"test", {11}, false, 1}) {}
  std::vector<std::string> puts;
  size_t hellos = 0;

 private:
  void connect() override {}
  bool transmit(wire::v1::MessageType type, std::string_view body) override {
    if (type == wire::v1::MESSAGE_TYPE_PUT) puts.emplace_back(body);
    if (type == wire::v1::MESSAGE_TYPE_HELLO) hellos += 1;
    return true;
  }
  std::string bus_name() const override { return "the bus"; }
};

TEST(LinkTest, SendsNoMoreThanItsCredit) {
  HeardLink link;
  ASSERT_TRUE(link.turn(1'000).has_value());
  EXPECT_EQ(link.hellos, 1u);
  BatchBuilder builder;
  ASSERT_TRUE(builder.add(numbered_fact(1)).has_value());
  const std::string batch = builder.finish("t/g", 16, {});
  for (int count = 0; count < 5; ++count) link.send(0, batch);
  wire::v1::Welcome welcome;
  welcome.set_home("home");
  welcome.set_epoch(1);
  welcome.set_session(1);
  welcome.add_last_sequences(0);
  welcome.set_credit_bytes(2 * batch.size());
  ASSERT_TRUE(link.take(wire::v1::MESSAGE_TYPE_WELCOME, welcome.SerializeAsString(), 1'001).has_value());
  EXPECT_FALSE(link.may_send());
  ASSERT_TRUE(link.turn(1'001).has_value());
  EXPECT_EQ(link.puts.size(), 2u);
  wire::v1::Ack ack;
  ack.set_producer(11);
  ack.set_epoch(1);
  ack.set_last_sequence(1);
  ASSERT_TRUE(link.take(wire::v1::MESSAGE_TYPE_ACK, ack.SerializeAsString(), 1'002).has_value());
  ASSERT_TRUE(link.turn(1'002).has_value());
  EXPECT_EQ(link.puts.size(), 3u);
}

}  // namespace
}  // namespace xundian::bus
