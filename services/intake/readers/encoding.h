// Text of unknown encoding made UTF-8. The content decides, never the file's name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "services/intake/readers/byte_source.h"

namespace xundian::intake {

enum class Encoding { ascii, utf8, gb18030 };

// True where a byte is none of ASCII.
bool has_high_bytes(std::string_view bytes);
bool valid_utf8(std::string_view bytes);

// Which of UTF-8 and GB18030 these bytes are more likely; their end may be torn.
Encoding guess_encoding(std::string_view bytes);

// Appends GB18030 as UTF-8; false where a byte is none.
class Gb18030 {
 public:
  Gb18030();
  ~Gb18030();
  bool append_utf8(std::string_view bytes, std::string& to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A source of UTF-16 as a source of UTF-8. What is no character becomes U+FFFD.
std::unique_ptr<ByteSource> utf16_source(std::unique_ptr<ByteSource> inner, std::string head, bool big_endian);

// "le" or "be" if these first bytes are UTF-16, else empty.
std::string_view guess_utf16(std::string_view head);

}  // namespace xundian::intake
