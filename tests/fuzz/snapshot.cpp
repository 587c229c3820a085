// A state is loaded from any bytes or not at all; one that was loaded can be shown and saved, and loads again.
#include "tests/convergence/log.h"
#include "tests/fuzz/fuzz.h"

// First which service, then what its replica saved.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  if (size == 0) return 0;
  const auto& definitions = convergence::services();
  const ServiceDefinition& definition = definitions[*data % definitions.size()];
  Replica::Options options;
  options.partitions = convergence::all_partitions();
  options.partitions_all = convergence::partitions;
  Replica replica(definition, options);
  if (!replica.load(ByteReader(fuzz::as_text(data + 1, size - 1)))) return 0;
  (void)replica.fingerprint();
  const std::string saved = replica.save();
  Replica again(definition, options);
  CHECK(again.load(ByteReader(saved)), "a state that was saved does not load");
  return 0;
}
