#include "services/intake/readers/encoding.h"

#include <unicode/ucnv.h>
#include <unicode/ustring.h>

#include <cstring>
#include <vector>

namespace xundian::intake {

namespace {

using Byte = unsigned char;

// The length of the UTF-8 sequence at the front: 0 = not one, -1 = torn at the end.
int utf8_sequence(const Byte* p, const Byte* end) {
  const Byte lead = *p;
  const int size = lead < 0x80                   ? 1
                   : lead >= 0xc2 && lead < 0xe0 ? 2
                   : lead >= 0xe0 && lead < 0xf0 ? 3
                   : lead >= 0xf0 && lead < 0xf5 ? 4
                                                 : 0;
  for (int index = 1; index < size; ++index) {
    if (p + index == end) return -1;
    if ((p[index] & 0xc0) != 0x80) return 0;
  }
  if (size >= 3 && ((lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) || (lead == 0xf0 && p[1] < 0x90) ||
                    (lead == 0xf4 && p[1] > 0x8f)))
    return 0;
  return size;
}

int gb18030_sequence(const Byte* p, const Byte* end) {
  if (*p < 0x80) return 1;
  if (*p == 0x80 || *p == 0xff) return 0;
  if (p + 1 == end) return -1;
  if (p[1] >= 0x40 && p[1] != 0x7f && p[1] != 0xff) return 2;
  if (p[1] < 0x30 || p[1] > 0x39) return 0;
  if (end - p < 4) return -1;
  return p[2] >= 0x81 && p[2] <= 0xfe && p[3] >= 0x30 && p[3] <= 0x39 ? 4 : 0;
}

struct Counted {
  size_t good = 0, bad = 0;
};

template <typename Sequence>
Counted count(std::string_view bytes, Sequence sequence) {
  Counted counted;
  const auto* p = reinterpret_cast<const Byte*>(bytes.data());
  for (const Byte* end = p + bytes.size(); p < end;) {
    const int size = sequence(p, end);
    if (size < 0) break;
    counted.good += size > 1;
    counted.bad += size == 0;
    p += size == 0 ? 1 : size;
  }
  return counted;
}

class Utf16Source : public ByteSource {
 public:
  Utf16Source(std::unique_ptr<ByteSource> inner, std::string head, bool big_endian)
      : inner_(std::move(inner)), input_(std::move(head)) {
    UErrorCode code = U_ZERO_ERROR;
    from_ = ucnv_open(big_endian ? "UTF-16BE" : "UTF-16LE", &code);
    to_ = ucnv_open("UTF-8", &code);
    CHECK(U_SUCCESS(code), "ICU has no UTF-16");
  }
  ~Utf16Source() override {
    ucnv_close(from_);
    ucnv_close(to_);
  }

  Result<size_t> read(char* to, size_t size) override {
    char* out = to;
    while (out == to && !flushed_) {
      if (at_ == input_.size() && !ended_) {
        input_.resize(1 << 16);
        const size_t count = TRY(inner_->read(input_.data(), input_.size()));
        input_.resize(count);
        at_ = 0;
        ended_ = count == 0;
      }
      const char* in = input_.data() + at_;
      UErrorCode code = U_ZERO_ERROR;
      ucnv_convertEx(to_, from_, &out, to + size, &in, input_.data() + input_.size(), pivot_, &pivot_from_, &pivot_to_,
                     pivot_ + std::size(pivot_), false, ended_, &code);
      at_ = static_cast<size_t>(in - input_.data());
      flushed_ = ended_ && code != U_BUFFER_OVERFLOW_ERROR;
    }
    return static_cast<size_t>(out - to);
  }
  uint64_t consumed() const override { return inner_->consumed(); }

 private:
  std::unique_ptr<ByteSource> inner_;
  std::string input_;
  size_t at_ = 0;
  UConverter* from_ = nullptr;
  UConverter* to_ = nullptr;
  UChar pivot_[4096];
  UChar* pivot_from_ = pivot_;
  UChar* pivot_to_ = pivot_;
  bool ended_ = false, flushed_ = false;
};

}  // namespace

bool has_high_bytes(std::string_view bytes) {
  size_t index = 0;
  for (; index + 8 <= bytes.size(); index += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + index, 8);
    if (word & 0x8080808080808080u) return true;
  }
  for (; index < bytes.size(); ++index)
    if (static_cast<Byte>(bytes[index]) >= 0x80) return true;
  return false;
}

bool valid_utf8(std::string_view bytes) {
  const auto* p = reinterpret_cast<const Byte*>(bytes.data());
  for (const Byte* end = p + bytes.size(); p < end;) {
    const int size = utf8_sequence(p, end);
    if (size <= 0) return false;
    p += size;
  }
  return true;
}

Encoding guess_encoding(std::string_view bytes) {
  const Counted utf8 = count(bytes, utf8_sequence);
  if (utf8.good + utf8.bad == 0) return Encoding::ascii;
  if (utf8.bad * 20 <= utf8.good) return Encoding::utf8;
  const Counted gb = count(bytes, gb18030_sequence);
  return gb.bad * 20 <= gb.good ? Encoding::gb18030 : Encoding::utf8;
}

struct Gb18030::Impl {
  UConverter* converter = nullptr;
  std::vector<UChar> wide;
};

Gb18030::Gb18030() : impl_(std::make_unique<Impl>()) {
  UErrorCode code = U_ZERO_ERROR;
  impl_->converter = ucnv_open("gb18030", &code);
  CHECK(U_SUCCESS(code), "ICU has no GB18030");
  ucnv_setToUCallBack(impl_->converter, UCNV_TO_U_CALLBACK_STOP, nullptr, nullptr, nullptr, &code);
}

Gb18030::~Gb18030() { ucnv_close(impl_->converter); }

bool Gb18030::append_utf8(std::string_view bytes, std::string& to) {
  impl_->wide.resize(bytes.size() + 4);
  UErrorCode code = U_ZERO_ERROR;
  const int32_t units = ucnv_toUChars(impl_->converter, impl_->wide.data(), static_cast<int32_t>(impl_->wide.size()),
                                      bytes.data(), static_cast<int32_t>(bytes.size()), &code);
  if (U_FAILURE(code)) return false;
  const size_t before = to.size();
  to.resize(before + static_cast<size_t>(units) * 3);
  int32_t written = 0;
  u_strToUTF8(to.data() + before, units * 3, &written, impl_->wide.data(), units, &code);
  to.resize(before + static_cast<size_t>(written));
  return U_SUCCESS(code);
}

std::unique_ptr<ByteSource> utf16_source(std::unique_ptr<ByteSource> inner, std::string head, bool big_endian) {
  return std::make_unique<Utf16Source>(std::move(inner), std::move(head), big_endian);
}

std::string_view guess_utf16(std::string_view head) {
  if (head.starts_with("\xff\xfe")) return "le";
  if (head.starts_with("\xfe\xff")) return "be";
  size_t even = 0, odd = 0;
  for (size_t index = 0; index < head.size(); ++index) (index % 2 == 0 ? even : odd) += head[index] == '\0';
  if (odd * 3 > head.size() && even * 50 < odd) return "le";
  if (even * 3 > head.size() && odd * 50 < even) return "be";
  return {};
}

}  // namespace xundian::intake
