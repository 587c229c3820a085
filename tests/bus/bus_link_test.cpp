// What a producer's side says to a bus that a test plays, at times that the test makes.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "common/bell.h"
#include "common/clock.h"
#include "common/producer.h"
#include "common/wire.h"
#include "tests/bus/process.h"

namespace xundian {
namespace {

constexpr uint64_t alice = 11;

class BusLinkTest : public ::testing::Test {
 protected:
  BusLinkTest()
      : endpoint_("ipc://" + folder_.folder() + "/put"), socket_(make_socket(zmq::socket_type::router, put_message_bytes_max)) {
    EXPECT_TRUE(bind_socket(socket_, endpoint_).has_value());
  }

  void make_link(bool folds = false) { link_ = std::make_unique<BusLink>(endpoint_, BusLink::Options{"test", {alice}, folds}); }
  Result<void> turn(Millis passed_ms = 0) { return link_->turn(now_ += passed_ms); }

  // The next message of the link.
  struct Heard {
    wire::v1::MessageType type = wire::v1::MESSAGE_TYPE_UNSPECIFIED;
    std::string body;
    BatchHeader header() const { return BatchView::trust(body).header(); }
  };
  Heard hear() {
    std::vector<zmq::message_t> frames;
    if (!poll_socket(socket_, 10'000) || !take_frames(socket_, frames) || frames.size() != 3) return {};
    peer_ = std::string(view_of(frames[0]));
    return {type_of(frames[1]), std::string(view_of(frames[2]))};
  }
  bool is_silent() { return !poll_socket(socket_, 50); }
  // Says something and lets the link take it.
  Result<void> say(wire::v1::MessageType type, const google::protobuf::MessageLite& message) {
    EXPECT_TRUE(send_frames(socket_, {peer_, type_frame(type), message.SerializeAsString()}));
    EXPECT_TRUE(poll_socket(link_->socket(), 10'000));
    return turn();
  }

  void expect_hello(uint64_t attempt) {
    const Heard heard = hear();
    wire::v1::Hello hello;
    ASSERT_EQ(heard.type, wire::v1::MESSAGE_TYPE_HELLO);
    ASSERT_TRUE(hello.ParseFromString(heard.body));
    ASSERT_EQ(hello.producers_size(), 1);
    EXPECT_EQ(hello.attempt(), attempt);
    EXPECT_NE(hello.instance(), 0u);
  }
  Result<void> welcome(uint32_t epoch, uint32_t session, uint64_t last, const std::string& home = "home") {
    wire::v1::Welcome welcome;
    welcome.set_home(home);
    welcome.set_epoch(epoch);
    welcome.set_session(session);
    welcome.add_last_sequences(last);
    welcome.set_credit_bytes(1 << 20);
    for (int partition = 0; partition < 16; ++partition) welcome.add_heads(100);
    return say(wire::v1::MESSAGE_TYPE_WELCOME, welcome);
  }
  Result<void> refuse(wire::v1::Refusal refusal, uint64_t sequence, uint64_t last, uint32_t retry_after_ms = 0) {
    wire::v1::Nack nack;
    nack.set_producer(alice);
    nack.set_refusal(refusal);
    nack.set_sequence(sequence);
    nack.set_last_sequence(last);
    nack.set_retry_after_ms(retry_after_ms);
    nack.set_text("because");
    return say(wire::v1::MESSAGE_TYPE_NACK, nack);
  }
  Result<void> acknowledge(uint64_t sequence, Offset next_offset) {
    wire::v1::Ack ack;
    ack.set_producer(alice);
    ack.set_epoch(1);
    ack.set_last_sequence(sequence);
    ack.set_next_offset(next_offset);
    return say(wire::v1::MESSAGE_TYPE_ACK, ack);
  }
  void queue(uint64_t sequence = 0) {
    BatchBuilder builder;
    ASSERT_TRUE(builder.add(numbered_fact(sequence)).has_value());
    BatchHeader header;
    header.sequence = sequence;
    link_->send(0, builder.finish("t/g", 16, header));
  }
  void expect_put(uint64_t sequence, uint32_t session) {
    const Heard heard = hear();
    ASSERT_EQ(heard.type, wire::v1::MESSAGE_TYPE_PUT);
    ASSERT_TRUE(BatchView::open(heard.body).has_value());
    EXPECT_EQ(heard.header().sequence, sequence);
    EXPECT_EQ(heard.header().session, session);
    EXPECT_EQ(heard.header().producer, alice);
  }
  // Welcomed by a bus that has nothing of this producer, with three batches on their way.
  void start() {
    make_link();
    ASSERT_TRUE(turn().has_value());
    expect_hello(1);
    ASSERT_TRUE(welcome(1, 7, 0).has_value());
    for (int count = 0; count < 3; ++count) queue();
    ASSERT_TRUE(turn().has_value());
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) expect_put(sequence, 7);
  }

  BusProcess folder_;
  std::string endpoint_;
  zmq::socket_t socket_;
  std::unique_ptr<BusLink> link_;
  std::string peer_;
  Millis now_ = 1'000'000;
};

TEST_F(BusLinkTest, CountsOnFromWhatTheJournalHas) {
  make_link();
  queue();
  queue();
  ASSERT_TRUE(turn().has_value());
  expect_hello(1);
  EXPECT_FALSE(link_->may_send());
  ASSERT_TRUE(welcome(1, 7, 41).has_value());
  expect_put(42, 7);
  expect_put(43, 7);
  queue();
  ASSERT_TRUE(turn().has_value());
  expect_put(44, 7);
  EXPECT_EQ(link_->unacknowledged(), 3u);
}

TEST_F(BusLinkTest, AnAcknowledgementCoversAllBeforeIt) {
  start();
  ASSERT_TRUE(acknowledge(2, 5).has_value());
  EXPECT_EQ(link_->acknowledged(0), 2u);
  EXPECT_EQ(link_->unacknowledged(), 1u);
  EXPECT_EQ(link_->acknowledged_heads().begin()->second, 5u);
}

TEST_F(BusLinkTest, AfterASilenceSaysHelloAndSendsWhatIsNotDurable) {
  start();
  ASSERT_TRUE(turn(499).has_value());
  EXPECT_TRUE(is_silent());
  ASSERT_TRUE(turn(1).has_value());
  expect_hello(2);
  ASSERT_TRUE(welcome(1, 8, 1).has_value());
  EXPECT_EQ(link_->acknowledged(0), 1u);
  EXPECT_EQ(link_->acknowledged_heads().begin()->second, 100u);
  expect_put(2, 8);
  expect_put(3, 8);
  EXPECT_TRUE(is_silent());
  ASSERT_TRUE(turn(999).has_value());  // Twice as patient, for nothing was acknowledged since.
  EXPECT_TRUE(is_silent());
  ASSERT_TRUE(turn(1).has_value());
  expect_hello(3);
}

TEST_F(BusLinkTest, SaysNothingMoreWhenNothingIsOutstanding) {
  start();
  ASSERT_TRUE(acknowledge(3, 3).has_value());
  ASSERT_TRUE(turn(60'000).has_value());
  EXPECT_TRUE(is_silent());
  queue();
  ASSERT_TRUE(turn(60'000).has_value());  // The silence before it was sent does not count.
  expect_put(4, 7);
  EXPECT_TRUE(is_silent());
}

TEST_F(BusLinkTest, WaitsAsLongAsARefusalAsks) {
  start();
  ASSERT_TRUE(refuse(wire::v1::REFUSAL_BUSY, 2, 0, 200).has_value());
  EXPECT_FALSE(link_->may_send());
  EXPECT_EQ(link_->refusal(), "because");
  ASSERT_TRUE(turn(199).has_value());
  EXPECT_TRUE(is_silent());
  ASSERT_TRUE(turn(1).has_value());
  expect_put(2, 7);
  expect_put(3, 7);
  EXPECT_TRUE(is_silent());  // The first was not refused.
  ASSERT_TRUE(acknowledge(1, 1).has_value());
  EXPECT_EQ(link_->refusal(), "");
}

TEST_F(BusLinkTest, ClosesAGapAtOnce) {
  start();
  ASSERT_TRUE(refuse(wire::v1::REFUSAL_GAP, 3, 1).has_value());
  expect_put(2, 7);
  expect_put(3, 7);
  EXPECT_TRUE(is_silent());
}

TEST_F(BusLinkTest, SaysHelloAtOnceWhenAsked) {
  start();
  ASSERT_TRUE(refuse(wire::v1::REFUSAL_HELLO, 1, 0).has_value());
  expect_hello(2);
}

TEST_F(BusLinkTest, GivesUpForGood) {
  const std::pair<wire::v1::Refusal, Code> all[] = {{wire::v1::REFUSAL_FENCED, Code::aborted},
                                                    {wire::v1::REFUSAL_INVALID, Code::invalid_argument},
                                                    {wire::v1::REFUSAL_MOVED, Code::failed_precondition}};
  for (const auto& [refusal, code] : all) {
    start();
    const auto refused = refuse(refusal, 1, 0);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, code);
    EXPECT_FALSE(turn(10'000).has_value());
    EXPECT_TRUE(is_silent());
  }
}

TEST_F(BusLinkTest, NoticesAJournalThatIsNotTheOneItWas) {
  start();
  ASSERT_TRUE(acknowledge(3, 3).has_value());
  ASSERT_TRUE(refuse(wire::v1::REFUSAL_HELLO, 4, 3).has_value());
  expect_hello(2);
  const auto lost = welcome(2, 9, 2);
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Code::data_loss);
  start();
  ASSERT_TRUE(refuse(wire::v1::REFUSAL_HELLO, 4, 3).has_value());
  expect_hello(2);
  EXPECT_FALSE(welcome(2, 9, 3, "another home").has_value());
}

TEST_F(BusLinkTest, AFoldKeepsItsNumbersAndForgetsWhatIsThere) {
  make_link(true);
  for (const uint64_t sequence : {10u, 20u, 30u}) queue(sequence);
  ASSERT_TRUE(turn().has_value());
  expect_hello(1);
  ASSERT_TRUE(welcome(1, 7, 20).has_value());
  const Heard heard = hear();
  ASSERT_EQ(heard.type, wire::v1::MESSAGE_TYPE_PUT);
  EXPECT_EQ(heard.header().sequence, 30u);
  EXPECT_TRUE(heard.header().flags & fold_answer);
  queue(15);
  EXPECT_EQ(link_->unacknowledged(), 1u);
}

TEST_F(BusLinkTest, WhoWaitsForATimeLooksWhetherTheBusHasForgotten) {
  make_link(true);
  link_->wake_at(0, 3, 5000);
  ASSERT_TRUE(turn().has_value());
  expect_hello(1);
  ASSERT_TRUE(welcome(1, 7, 0).has_value());
  EXPECT_EQ(hear().type, wire::v1::MESSAGE_TYPE_WAKE);
  ASSERT_TRUE(turn(1000).has_value());
  EXPECT_EQ(hear().type, wire::v1::MESSAGE_TYPE_HELLO);
  wire::v1::Welcome other;  // As a bus answers who only asks.
  other.set_home("home");
  other.set_epoch(2);
  ASSERT_TRUE(say(wire::v1::MESSAGE_TYPE_WELCOME, other).has_value());
  expect_hello(2);
  ASSERT_TRUE(welcome(2, 8, 0).has_value());
  EXPECT_EQ(hear().type, wire::v1::MESSAGE_TYPE_WAKE);
}

// A fold that is busy for long does not hear the bell while more of it comes than its pipe holds; then it goes on. With
// heartbeats of ZMTP libzmq gives up such a connection after their timeout, and ends the process once it is read again.
TEST(BellListenerTest, GoesOnAfterALongSilenceOfItsOwn) {
  const BusProcess folder;
  const std::string endpoint = "ipc://" + folder.folder() + "/bell";
  zmq::socket_t bell = make_socket(zmq::socket_type::xpub, 1 << 20);
  ASSERT_TRUE(bind_socket(bell, endpoint).has_value());
  BellListener listener(endpoint);
  ASSERT_TRUE(poll_socket(bell, 10'000)) << "nobody listens";
  wire::v1::Bell ring;
  const auto ring_on = [&] {
    ring.set_next_position(ring.next_position() + 1);
    const std::string frame = bell_frame(bell_for_all), body = ring.SerializeAsString();
    bell.send(zmq::buffer(frame), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
    bell.send(zmq::buffer(body), zmq::send_flags::dontwait);
  };
  for (const Millis until = steady_ms() + 11'000; steady_ms() < until; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
    ring_on();
  const uint64_t last = ring.next_position();
  for (const Millis until = steady_ms() + 10'000; steady_ms() < until;) {
    ring_on();
    poll_socket(listener.socket(), 10);
    if (const auto heard = listener.newest(); heard && heard->next_position() > last) return;
  }
  FAIL() << "it hears nothing any more";
}

// Who folds certain kinds hears what concerns them, Ticks, and what is for all; nothing else wakes it.
TEST(BellListenerTest, HearsWhatConcernsItsKinds) {
  const BusProcess folder;
  const std::string endpoint = "ipc://" + folder.folder() + "/bell";
  zmq::socket_t bell = make_socket(zmq::socket_type::xpub, 1 << 20);
  ASSERT_TRUE(bind_socket(bell, endpoint).has_value());
  const Kind kinds[] = {v1::Fact::kStockLevel, v1::Fact::kRuleSet};
  BellListener some(endpoint, kinds), every(endpoint);
  std::vector<zmq::message_t> frames;
  for (size_t left = 5; left > 0; left -= take_frames(bell, frames))  // All that both listen to.
    ASSERT_TRUE(poll_socket(bell, 10'000)) << left;
  wire::v1::Bell ring;
  const auto heard_by = [&](BellListener& listener, Position position) {
    for (const Millis until = steady_ms() + 10'000; steady_ms() < until; poll_socket(listener.socket(), 100))
      if (const auto heard = listener.newest(); heard && heard->next_position() == position) return true;
    return false;
  };
  const auto ring_for = [&](BellTopic topic) {
    ring.set_next_position(ring.next_position() + 1);
    send_frames(bell, {bell_frame(topic), ring.SerializeAsString()});
    return ring.next_position();
  };
  for (const BellTopic topic :
       {bell_for_all, bell_topic_of(v1::Fact::kStockLevel), bell_topic_of(v1::Fact::kRuleSet), bell_topic_of(v1::Fact::kTick)}) {
    ring_for(topic);
    EXPECT_TRUE(heard_by(some, ring.next_position())) << int{topic};
  }
  for (const Kind kind : {v1::Fact::kOrderState, v1::Fact::kFinding}) {
    const Position position = ring_for(bell_topic_of(kind));
    EXPECT_TRUE(heard_by(every, position)) << kind;
    EXPECT_FALSE(some.newest().has_value()) << kind;
  }
}

}  // namespace
}  // namespace xundian
