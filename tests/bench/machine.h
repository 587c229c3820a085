// What every figure has to be read beside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xundian::bench {

struct Machine {
  unsigned cpus = 0;
  std::string model, kernel, filesystem;  // The file system of the folder that is measured.
  double memory_gb = 0;
};
Machine describe_machine();

// Appends small blocks to a file and syncs each: how long the disk alone takes.
void measure_disk(std::vector<float>& sync_us);

// Makes what a leg meets the same for all: a calm disk and warm memory. Returns once no sync has taken long for so many seconds,
// or after six times as many: where a leg's files were removed before, a disk may work at giving back their blocks for seconds,
// and hold up what comes next every other second. And memory is in use until it returns: a host takes what is free back within
// seconds, and gives it again page by page.
void settle(double secs);

// What each service that keeps orders takes ahead of need, as deploy/up has it: a fiftieth of the machine's memory, at most 512
// MB.
int64_t memory_ahead_mb();

// So many bytes can be taken without pushing others out.
double free_memory_bytes();

}  // namespace xundian::bench
