#include "services/metrics/packed_table.h"

#include <google/protobuf/io/coded_stream.h>
#include <zstd.h>

#include <limits>
#include <memory>
#include <numeric>

#include "common/error.h"
#include "common/fact_view.h"

namespace xundian::metrics {

namespace {

constexpr size_t varint_bytes_max = 10;
constexpr unsigned long long unpacked_bytes_max = 1ull << 30;

// What zstd works with is kept: to make it takes longer than to pack a day.
struct Packer {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::string bytes;
};
struct Unpacker {
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  std::string bytes;
};

uint64_t size_of(int64_t number) { return number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number); }

// What divides all numbers of a column.
int64_t divisor_of(const Rows& rows, size_t column, size_t columns) {
  uint64_t divisor = 0;
  for (size_t at = column; at < rows.numbers.size() && divisor != 1; at += columns)
    divisor = std::gcd(divisor, size_of(rows.numbers[at]));
  return divisor == 0 || divisor > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ? 1 : static_cast<int64_t>(divisor);
}

}  // namespace

std::string pack_rows(const Rows& rows, size_t columns) {
  thread_local Packer packer;
  packer.bytes.resize(varint_bytes_max * (1 + rows.keys.size() + columns + rows.numbers.size()));
  auto* const begin = reinterpret_cast<uint8_t*>(packer.bytes.data());
  uint8_t* end = begin;
  const auto put = [&](uint64_t number) { end = google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(number, end); };
  put(rows.keys.size());
  uint64_t before = 0;
  for (const uint64_t key : rows.keys) put(key - std::exchange(before, key));
  for (size_t column = 0; column < columns; ++column) {
    const int64_t divisor = divisor_of(rows, column, columns);
    put(static_cast<uint64_t>(divisor));
    for (size_t at = column; at < rows.numbers.size(); at += columns) put(zigzag(rows.numbers[at] / divisor));
  }
  const auto size = static_cast<size_t>(end - begin);
  std::string packed(ZSTD_compressBound(size), '\0');
  const size_t packed_size =
      ZSTD_compressCCtx(packer.context.get(), packed.data(), packed.size(), begin, size, ZSTD_CLEVEL_DEFAULT);
  CHECK(ZSTD_isError(packed_size) == 0, "there is room for what is packed");
  packed.resize(packed_size);
  return packed;
}

std::optional<Rows> unpack_rows(std::string_view packed, size_t columns) {
  thread_local Unpacker unpacker;
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size > unpacked_bytes_max) return std::nullopt;  // Errors are greater than any size.
  unpacker.bytes.resize(size);
  if (ZSTD_decompressDCtx(unpacker.context.get(), unpacker.bytes.data(), size, packed.data(), packed.size()) != size)
    return std::nullopt;
  FieldCursor at(unpacker.bytes);
  const uint64_t count = at.number();
  if (count > size / (1 + columns)) return std::nullopt;  // A number takes a byte at least.
  Rows rows;
  rows.keys.resize(count);
  rows.numbers.resize(count * columns);
  uint64_t key = 0;
  for (uint64_t row = 0; row < count; ++row) {
    const uint64_t step = at.number();
    if ((row > 0 && step == 0) || key + step < key) return std::nullopt;
    rows.keys[row] = key += step;
  }
  for (size_t column = 0; column < columns; ++column) {
    const uint64_t divisor = at.number();
    for (size_t index = column; index < rows.numbers.size(); index += columns)
      rows.numbers[index] = static_cast<int64_t>(static_cast<uint64_t>(at.zigzag()) * divisor);
  }
  if (!at.ok() || at.at() != unpacker.bytes.data() + size) return std::nullopt;
  return rows;
}

}  // namespace xundian::metrics
