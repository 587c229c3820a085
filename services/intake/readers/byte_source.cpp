#include "services/intake/readers/byte_source.h"

#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace xundian::intake {

namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

class PlainSource : public ByteSource {
 public:
  PlainSource(File file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  Result<size_t> read(char* to, size_t size) override {
    const size_t count = std::fread(to, 1, size, file_.get());
    if (count == 0 && std::ferror(file_.get()))
      return fail(Code::data_loss, "{}: cannot be read: {}", name_, std::strerror(errno));
    consumed_ += count;
    return count;
  }
  uint64_t consumed() const override { return consumed_; }

 private:
  File file_;
  std::string name_;
  uint64_t consumed_ = 0;
};

// A gzip, with all its members one after the other.
class GzipSource : public ByteSource {
 public:
  GzipSource(File file, std::string name) : file_(std::move(file)), name_(std::move(name)), input_(1 << 16, '\0') {
    CHECK(inflateInit2(&stream_, 15 + 16) == Z_OK, "zlib could not start");
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  Result<size_t> read(char* to, size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out == size && !ended_) TRY_VOID(step());
    const size_t count = size - stream_.avail_out;
    inflated_ += count;
    TRY_VOID(check_inflated(name_, consumed_, inflated_));
    return count;
  }
  uint64_t consumed() const override { return consumed_; }

 private:
  Result<void> step() {
    if (stream_.avail_in == 0) {
      stream_.avail_in = static_cast<uInt>(std::fread(input_.data(), 1, input_.size(), file_.get()));
      stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
      consumed_ += stream_.avail_in;
      if (stream_.avail_in == 0) {
        ended_ = true;
        if (between_members_) return {};
        return fail(Code::data_loss, "{}: the gzip is truncated after {} inflated bytes; transfer the file again", name_,
                    inflated_);
      }
    }
    if (between_members_) {  // Padding behind the last member is none of ours.
      if (*stream_.next_in != 0x1f) {
        ended_ = true;
        return {};
      }
      inflateReset(&stream_);
      between_members_ = false;
    }
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      between_members_ = true;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      ended_ = true;
      return fail(Code::data_loss, "{}: the gzip is damaged after {} inflated bytes ({}); transfer the file again", name_,
                  inflated_, stream_.msg != nullptr ? stream_.msg : "bad data");
    }
    return {};
  }

  File file_;
  std::string name_;
  std::string input_;
  z_stream stream_{};
  uint64_t consumed_ = 0, inflated_ = 0;
  bool between_members_ = false, ended_ = false;
};

}  // namespace

Result<void> check_inflated(std::string_view name, uint64_t packed, uint64_t inflated) {
  if (inflated > inflated_ratio_from && inflated / inflated_ratio_max > packed)
    return fail(Code::resource_exhausted,
                "{}: inflates to more than {} times its size, as only a decompression bomb does; unpack it and look at it", name,
                inflated_ratio_max);
  if (inflated > inflated_bytes_max)
    return fail(Code::resource_exhausted, "{}: inflates to more than {} MB; unpack it and import it in parts", name,
                inflated_bytes_max >> 20);
  return {};
}

std::string refuse_content(std::string_view head) {
  static const std::pair<std::string_view, const char*> known[] = {
      {std::string_view("\xd0\xcf\x11\xe0", 4), "an old Excel workbook (.xls); open it and save it as .xlsx or CSV"},
      {"%PDF", "a PDF document; export the table as CSV or XLSX"},
      {"\x89PNG", "a picture"},
      {"\xff\xd8\xff", "a picture"},
      {"GIF8", "a picture"},
      {"\x7f"
       "ELF",
       "a program"},
      {"Rar!", "a RAR archive; unpack it and import what is in it"},
      {"7z\xbc\xaf", "a 7z archive; unpack it and import what is in it"},
      {"BZh", "a bzip2 file; unpack it and import what is in it"},
      {"\xfd"
       "7zXZ",
       "an xz file; unpack it and import what is in it"},
      {"SQLite format 3", "a database; export the table as CSV or XLSX"},
  };
  for (const auto& [magic, what] : known)
    if (head.starts_with(magic)) return what;
  std::string_view text = head;
  while (!text.empty() && (static_cast<unsigned char>(text.front()) <= ' ' || static_cast<unsigned char>(text.front()) >= 0xbb))
    text.remove_prefix(1);
  for (const char* mark : {"<html", "<HTML", "<!DOCTYPE", "<!doctype", "<table", "<?xml"})
    if (text.starts_with(mark)) return "a page of HTML or XML; export the table as CSV or XLSX";
  if (head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff")) return {};
  size_t zeros = 0, controls = 0;
  for (const unsigned char c : head) {
    zeros += c == 0;
    controls += c < 9 || (c > 13 && c < 32);
  }
  const bool utf16 =
      zeros * 3 > head.size() && zeros * 3 < head.size() * 2;  // UTF-16 without a mark has a zero in each ASCII letter.
  if (!utf16 && controls * 200 > head.size()) return "binary data; export the table as CSV or XLSX";
  return {};
}

Result<Opened> open_bytes(const std::string& path, std::string_view name) {
  File file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return fail(Code::not_found, "{}: cannot be opened: {}", name, std::strerror(errno));
  char head[4096];
  const size_t count = std::fread(head, 1, sizeof head, file.get());
  if (count == 0 && std::ferror(file.get()))
    return fail(Code::invalid_argument, "{}: cannot be read: {}", name, std::strerror(errno));
  if (count == 0) return fail(Code::invalid_argument, "{}: the file is empty; export it again", name);
  Opened opened;
  std::fseek(file.get(), 0, SEEK_END);
  opened.bytes = static_cast<uint64_t>(std::ftell(file.get()));
  std::rewind(file.get());
  const std::string_view view(head, count);
  if (view.starts_with("\x1f\x8b")) {
    opened.container = Container::gzip;
    opened.source = std::make_unique<GzipSource>(std::move(file), std::string(name));
  } else if (view.starts_with("PK\x03\x04") || view.starts_with("PK\x05\x06")) {
    opened.container = Container::zip;
  } else {
    opened.source = std::make_unique<PlainSource>(std::move(file), std::string(name));
  }
  return opened;
}

Result<std::string> read_all(ByteSource& source) {
  std::string bytes;
  for (;;) {
    const size_t before = bytes.size();
    bytes.resize(before + (1 << 18));
    const size_t count = TRY(source.read(bytes.data() + before, bytes.size() - before));
    bytes.resize(before + count);
    if (count == 0) return bytes;
  }
}

}  // namespace xundian::intake
