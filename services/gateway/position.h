// The position of a stream, as its reader keeps it: opaque text that holds the home and, for each partition, the next offset.
#pragma once

#include <string>
#include <string_view>

#include "common/error.h"
#include "common/journal.h"

namespace xundian::gateway {

std::string encode_position(std::string_view home, const Heads& heads);
// Fails on what is no position, and on one of another home.
Result<Heads> decode_position(std::string_view text, std::string_view home, uint32_t partitions);

}  // namespace xundian::gateway
