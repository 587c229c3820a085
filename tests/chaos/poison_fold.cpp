// A service that dies of one fact, as a service with a bug would: all that is under test is what the runner makes of it. Whoever
// saves its state, or answers, reads a file first: a pipe holds it up. It may stand in another's place.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "common/bytes.h"
#include "common/error.h"
#include "common/patience.h"
#include "common/service.h"

namespace xundian {

namespace {

void read_file_of(const char* variable) {
  if (const char* path = std::getenv(variable)) std::ifstream(path).get();
}

class PoisonFold final : public Fold {
 public:
  void fold(const FactView& fact, Outbox&) override {
    CHECK(fact.key_text() != "poison", "a fact that this fold cannot bear");
    folded_ += 1;
  }
  void save(std::string& bytes) const override {
    read_file_of("CHAOS_SAVE_READS");
    append(bytes, folded_);
  }
  bool load(ByteReader reader) override {
    folded_ = reader.take<uint64_t>();
    return reader.ok();
  }
  void fingerprint(Fingerprint&) const override { read_file_of("CHAOS_ANSWER_READS"); }

 private:
  uint64_t folded_ = 0;
};

}  // namespace

}  // namespace xundian

int main(int argc, char** argv) {
  using namespace xundian;
  ServiceDefinition definition;
  const char* const name = std::getenv("CHAOS_SERVICE");
  definition.name = name == nullptr ? "poison" : name;
  definition.kinds = {v1::Fact::kStockLevel};
  definition.make_fold = [] { return std::make_unique<PoisonFold>(); };
  definition.answer = [service = ::getpid()](std::span<Fold* const>, std::string_view method,
                                             std::string_view) -> Result<std::string> {
    if (method != "Much") return fail(Code::unimplemented, "nothing is asked of this service, least of all {}", method);
    // As much as nobody has the patience for.
    while (::getpid() == service)
      if (Patience::is_over()) return std::string();
    read_file_of("CHAOS_ANSWER_READS");
    return std::string("all of it");
  };
  return run_service(argc, argv, definition);
}
