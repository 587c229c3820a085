// Bytes of a file, inflated where it is a gzip, within limits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/error.h"

namespace xundian::intake {

// What a packed file may inflate to: so much, and so much for each byte that is packed.
inline constexpr uint64_t inflated_bytes_max = 200u << 20;
inline constexpr uint64_t inflated_ratio_max = 100;
// Below this a ratio says nothing: a small table of zeros packs better than any bomb.
inline constexpr uint64_t inflated_ratio_from = 4u << 20;

// Complains when more was inflated than the limits allow.
Result<void> check_inflated(std::string_view name, uint64_t packed, uint64_t inflated);

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // 0 at the end. Code::data_loss: the rest is missing or damaged; what was read before is sound.
  virtual Result<size_t> read(char* to, size_t size) = 0;
  // Bytes of the file on disk that were read.
  virtual uint64_t consumed() const = 0;
};

// What a file is, by its first bytes; its name is not asked.
enum class Container { plain, gzip, zip, refused };

struct Opened {
  Container container = Container::plain;
  uint64_t bytes = 0;                  // On disk.
  std::unique_ptr<ByteSource> source;  // Null for a zip, which is read by its own reader.
};

// Opens a file; one that cannot be a table is an error that says what it is.
Result<Opened> open_bytes(const std::string& path, std::string_view name);

// Reads a whole source, for members that must be in memory.
Result<std::string> read_all(ByteSource& source);

// Why these first bytes cannot be a table of text; empty = they can.
std::string refuse_content(std::string_view head);

}  // namespace xundian::intake
