// Whatever facts a fold is given, it comes back, and its state can be saved and loaded. Facts that were framed by our own code
// make the same fingerprint in whatever order they come.
#include <algorithm>

#include "tests/convergence/log.h"
#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

// As the runner does it, without a journal.
class Driver {
 public:
  explicit Driver(const ServiceDefinition& definition) : definition_(definition), fold_(definition.make_fold()) {
    fold_->scope = "t/g";
  }

  void take(std::string_view frame) {
    const auto kind = load<FactHead>(frame.data()).kind;
    time_ms_ = std::max(time_ms_, load<FactHead>(frame.data()).occurred_ms);
    outbox_.clear();
    if (fold_->next_wake() <= time_ms_) fold_->wake(time_ms_, outbox_);
    const auto& kinds = definition_.kinds;
    if (kind != v1::Fact::kTick && std::find(kinds.begin(), kinds.end(), kind) != kinds.end())
      if (offset_ % 2 == 0) fold_->expect(FactView(frame, offset_, 0));
    fold_->fold(FactView(frame, offset_, time_ms_), outbox_);
    for (v1::Fact& fact : outbox_.facts()) {
      fact.set_cause(offset_ + 1);
      if (fact.as_of_ms() == 0) fact.set_as_of_ms(std::max<Millis>(time_ms_, 1));
      std::string said;
      const auto framed = append_frame(said, fact);
      CHECK(framed.has_value(), framed.error().message);
      fold_->said(FactView(said, offset_, time_ms_));
    }
    ++offset_;
  }

  std::string fingerprint() const {
    Fingerprint sum;
    fold_->fingerprint(sum);
    return sum.hex();
  }

  void check_snapshot() const {
    std::string saved, again;
    fold_->save(saved);
    const auto fresh = definition_.make_fold();
    CHECK(fresh->load(ByteReader(saved)), "a state that was saved does not load");
    fresh->save(again);
    CHECK(saved == again || definition_.name == "intake", "a state that was loaded is saved as another");
    Fingerprint sum;
    fresh->fingerprint(sum);
    CHECK(sum.hex() == fingerprint(), "a state that was loaded has another fingerprint");
  }

 private:
  const ServiceDefinition& definition_;
  std::unique_ptr<Fold> fold_;
  Outbox outbox_;
  Offset offset_ = 0;
  Millis time_ms_ = 0;
};

}  // namespace
}  // namespace xundian::fuzz

// First which service; then, if the next byte is odd, frames as they would lie in a batch, else facts, each after its length.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  ByteReader input(fuzz::as_text(data, size));
  const auto& definitions = convergence::services();
  const ServiceDefinition& definition = definitions[input.take<uint8_t>() % definitions.size()];
  const bool raw = input.take<uint8_t>() % 2 == 1;
  if (!input.ok()) return 0;
  std::vector<std::string> frames;
  if (raw) {
    std::string_view rest = fuzz::as_text(data, size).substr(2);
    while (frames.size() < 64) {
      const auto frame = split_frame(rest);
      if (!frame) break;
      frames.emplace_back(*frame);
    }
  }
  while (!raw && !input.empty() && frames.size() < 64) {
    const std::string_view bytes = input.take_bytes(input.take<uint16_t>());
    v1::Fact fact;
    std::string frame;
    if (fact.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) && append_frame(frame, fact)) frames.push_back(frame);
  }
  fuzz::Driver forth(definition), back(definition);
  for (const std::string& frame : frames) forth.take(frame);
  if (!raw) {
    forth.check_snapshot();
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) back.take(*frame);
    CHECK(forth.fingerprint() == back.fingerprint(), "the order of arrival changed the fingerprint");
  }
  return 0;
}
