#include "tests/simulation/echo.h"

namespace xundian::simulation {

namespace {

class Echo final : public Fold {
 public:
  explicit Echo(uint64_t build) : build_(build) {}

  void fold(const FactView& fact, Outbox& outbox) override {
    if (fact.key_text() == poison_key) throw Poisoned();
    digest_ = hash64(fmt::format("{} {}", digest_, hash64(fact.body())));
    if (digest_ % 3 != 0) return;
    v1::Fact& word = outbox.add();  // Of a kind that nobody folds.
    word.set_store(std::string(fact.store_id()));
    word.set_key(fmt::format("echo {}", ++said_));
    word.mutable_horizon()->set_day(fmt::format("build {} heard {}", build_, digest_));
  }
  // What it says next follows from what it said.
  void said(const FactView& fact) override { digest_ = hash64(fmt::format("{} said {}", digest_, hash64(fact.body()))); }
  void save(std::string& bytes) const override {
    append(bytes, digest_);
    append(bytes, said_);
  }
  bool load(ByteReader reader) override {
    digest_ = reader.take<uint64_t>();
    said_ = reader.take<uint64_t>();
    return reader.ok() && reader.empty();
  }
  void fingerprint(Fingerprint& sum) const override { sum.add(scope, std::to_string(digest_)); }

 private:
  uint64_t build_ = 0;
  uint64_t digest_ = 0;
  uint64_t said_ = 0;  // Of the key alone.
};

}  // namespace

ServiceDefinition echo_definition(uint64_t build) {
  ServiceDefinition definition;
  definition.name = "echo";
  definition.kinds = {v1::Fact::kOrderState};
  definition.shape = 1;
  definition.make_fold = [build] { return std::make_unique<Echo>(build); };
  definition.answer = [](std::span<Fold* const>, std::string_view, std::string_view) -> Result<std::string> {
    return fail(Code::unimplemented, "an echo answers nothing");
  };
  return definition;
}

}  // namespace xundian::simulation
