// What the modes of fold_bench share.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/replica.h"
#include "services/bus/sequencer.h"
#include "tests/bench/workload.h"

namespace xundian::bench {

inline constexpr uint32_t partitions = 16;

// Of this thread, so that what else the machine does counts little.
double thread_seconds();

// What tests/bench/guard_test.py counts the instructions of, by these names; therefore they are called and never inlined.
[[gnu::noinline]] std::vector<Replica::Answer> fold_commit(Replica& replica, const CommitView& commit);
[[gnu::noinline]] void put_batch(bus::Sequencer& sequencer, BatchBuilder& builder, std::string_view frames,
                                 const BatchHeader& header);

// What the bus's own code costs, without sockets and disk: prints the best of `repeat` rounds.
void print_bus(const Workload& workload, Millis now, size_t repeat);

}  // namespace xundian::bench
