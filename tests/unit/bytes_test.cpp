// Bytes that are checked when they are come to read as those that are not, up to the first piece that is wrong.
#include "common/bytes.h"

#include <gtest/gtest.h>

#include <random>

#include "common/hash.h"

namespace xundian {
namespace {

// Pieces of seven bytes, of which one may be wrong.
class Pieces final : public ByteCheck {
 public:
  Pieces(std::string_view bytes, size_t wrong) : bytes_(bytes), wrong_(wrong) {}
  size_t right_from(const char* from, size_t count) const override {
    const auto begin = static_cast<size_t>(from - bytes_.data());
    EXPECT_LE(begin + count, bytes_.size()) << "bytes are asked for that are not there";
    size_t end = begin;
    for (size_t piece = begin / piece_bytes; end < begin + count && piece != wrong_; ++piece) end = (piece + 1) * piece_bytes;
    return end - begin;
  }

  static constexpr size_t piece_bytes = 7;

 private:
  std::string_view bytes_;
  size_t wrong_;
};

std::string numbered(size_t size) {
  std::string bytes;
  for (size_t at = 0; at < size; ++at) bytes += static_cast<char>(at);
  return bytes;
}

// Takes numbers, bytes and parts of random sizes from both until one fails; how many bytes they gave.
size_t read_alike(ByteReader plain, ByteReader checked, std::mt19937& random, size_t depth = 0) {
  size_t read = 0;
  while (!plain.empty()) {
    EXPECT_EQ(checked.left(), plain.left());
    const size_t size = random() % std::min<size_t>(plain.left() + 1, 20);
    if (depth < 3 && random() % 8 == 0) {
      const ByteReader part = plain.take_part(size), checked_part = checked.take_part(size);
      const size_t of_part = read_alike(part, checked_part, random, depth + 1);
      read += of_part;
      if (of_part < size) return read;
      continue;
    }
    const bool number = plain.left() >= sizeof(uint32_t) && random() % 2 == 0;
    if (number) {
      const auto expected = plain.take<uint32_t>(), got = checked.take<uint32_t>();
      EXPECT_EQ(got, checked.ok() ? expected : 0);
      if (!checked.ok()) return read;
      read += sizeof(uint32_t);
    } else {
      const std::string_view expected = plain.take_bytes(size), got = checked.take_bytes(size);
      EXPECT_EQ(got, checked.ok() ? expected : "");
      if (!checked.ok()) return read;
      read += size;
    }
  }
  EXPECT_TRUE(checked.ok() && checked.empty());
  return read;
}

TEST(BytesTest, CheckedBytesReadAsOthersUpToTheFirstWrongPiece) {
  std::mt19937 random(20261130);
  for (int round = 0; round < 2'000; ++round) {
    const std::string bytes = numbered(random() % 120);
    const size_t wrong = random() % 2 == 0 ? random() % 18 : SIZE_MAX;
    const Pieces check(bytes, wrong);
    const size_t read = read_alike(ByteReader(bytes), ByteReader(bytes, check), random);
    if (wrong == SIZE_MAX || wrong * Pieces::piece_bytes >= bytes.size())
      EXPECT_EQ(read, bytes.size());
    else
      EXPECT_LE(read, wrong * Pieces::piece_bytes) << "a wrong byte was read";
  }
}

TEST(BytesTest, WhatIsRightBeforeAWrongPieceIsRead) {
  const std::string bytes = numbered(21);
  const Pieces check(bytes, 2);
  ByteReader reader(bytes, check);
  EXPECT_EQ(reader.take_bytes(14), std::string_view(bytes).substr(0, 14));
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 7u);
  EXPECT_EQ(reader.take<uint8_t>(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_TRUE(reader.empty());
}

TEST(BytesTest, APartThatIsNotThereIsAFailure) {
  const std::string bytes = numbered(10);
  for (const bool checked : {false, true}) {
    const Pieces check(bytes, SIZE_MAX);
    ByteReader reader = checked ? ByteReader(bytes, check) : ByteReader(bytes);
    ByteReader part = reader.take_part(11);
    EXPECT_FALSE(part.ok() || reader.ok());
    EXPECT_EQ(part.take<uint8_t>(), 0);
  }
}

// A snapshot that one machine wrote is read on another.
TEST(BytesTest, TheWideHashIsTheSameHash) {
  const std::string bytes = numbered(300'000);
  for (const size_t size : {0, 1, 16, 17, 128, 129, 240, 241, 1'024, 1'025, 262'144, 300'000}) {
    const std::string_view first = std::string_view(bytes).substr(0, size);
    EXPECT_EQ(to_hex(hash128_wide(first)), to_hex(hash128(first))) << size;
  }
}

}  // namespace
}  // namespace xundian
