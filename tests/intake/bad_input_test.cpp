// Files as they should not be: each gives a clear answer, and what is sound in them is read.
#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include "tests/intake/import_case.h"

namespace xundian::intake {

namespace {

const std::string retail_header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

std::string retail_row(int number) {
  return fmt::format("{},SKU{},MUG,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n", 500000 + number, number % 7);
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A zip of the named members; each is written `times` times over.
void write_zip(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members, size_t times = 1,
               const char* password = nullptr) {
  archive* zip = archive_write_new();
  archive_write_set_format_zip(zip);
  if (password != nullptr) {
    archive_write_set_passphrase(zip, password);
    archive_write_set_options(zip, "zip:encryption=traditional");
  }
  ASSERT_EQ(archive_write_open_filename(zip, path.c_str()), ARCHIVE_OK);
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size() * times));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    ASSERT_EQ(archive_write_header(zip, entry), ARCHIVE_OK);
    for (size_t index = 0; index < times; ++index) archive_write_data(zip, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(zip);
  archive_write_free(zip);
}

TEST(BadInput, ATruncatedGzipGivesItsWholeRows) {
  std::string text = retail_header;
  for (int number = 0; number < 20'000; ++number) text += retail_row(number * 13 % 20'000);
  const std::string whole = gzip(text);
  const Imported imported = import_text("2010-12.csv.gz", whole.substr(0, whole.size() / 2));
  ASSERT_EQ(imported.error, "");
  ASSERT_EQ(imported.rejects.size(), 1u) << imported.why();
  EXPECT_NE(imported.rejects[0].reason.find("truncated"), std::string::npos);
  EXPECT_GT(imported.reports[0].rows, 5'000u);
  EXPECT_LT(imported.reports[0].rows, 20'000u);
  EXPECT_EQ(imported.count(v1::Fact::kOrderState), imported.reports[0].rows);
  EXPECT_NE(import_text("a.csv.gz", whole.substr(0, 12)).error.find("truncated"), std::string::npos);
  // One byte amid the data is no longer what it was.
  std::string damaged = whole;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
  EXPECT_NE(import_text("a.csv.gz", damaged).why().find("damaged"), std::string::npos);
}

TEST(BadInput, SeveralGzipMembersAreOneFile) {
  const Imported imported =
      import_text("a.csv.gz", gzip(retail_header + retail_row(1)) + gzip(retail_row(2)) + std::string(512, '\0'));
  EXPECT_EQ(imported.count(v1::Fact::kOrderState), 2u) << imported.why();
  EXPECT_TRUE(imported.rejects.empty());
}

TEST(BadInput, ABombIsRefusedAtOnce) {
  const TempFolder folder;
  const std::string megabyte(1 << 20, '0');
  write_zip(folder.path() + "/bomb.zip", {{"orders.csv", megabyte}}, 300);
  EXPECT_LT(std::filesystem::file_size(folder.path() + "/bomb.zip"), 2u << 20);
  Imported imported = import_path(folder.path() + "/bomb.zip");
  EXPECT_NE(imported.error.find("decompression bomb"), std::string::npos) << imported.why();
  EXPECT_TRUE(imported.facts.empty());
  // The same as a workbook, and as a gzip.
  write_zip(folder.path() + "/bomb.xlsx", {{"xl/workbook.xml", "<workbook/>"}, {"xl/sharedStrings.xml", megabyte}}, 300);
  EXPECT_NE(import_path(folder.path() + "/bomb.xlsx").error.find("decompression bomb"), std::string::npos);
  // Entities that multiply: no workbook declares any.
  write_zip(folder.path() + "/entities.xlsx",
            {{"xl/workbook.xml", "<!DOCTYPE w [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><workbook>&b;</workbook>"}});
  EXPECT_NE(import_path(folder.path() + "/entities.xlsx").error.find("declares a document type"), std::string::npos);
  std::string row = retail_header;
  while (row.size() < 16u << 20) row += "500000,SKU,MUG,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n";
  EXPECT_NE(import_text("bomb.csv.gz", gzip(row)).error.find("decompression bomb"), std::string::npos);
}

TEST(BadInput, OneBadMemberLeavesTheOthers) {
  const TempFolder folder;
  const std::string path = folder.path() + "/months.zip";
  write_zip(path, {{"../../etc/one.csv", retail_header + retail_row(1)},
                   {"readme.txt", "nothing\nto see\n"},
                   {"b/two.csv", retail_header + retail_row(2)}});
  const Imported imported = import_path(path);
  ASSERT_EQ(imported.error, "");
  EXPECT_EQ(imported.count(v1::Fact::kOrderState), 2u);
  ASSERT_EQ(imported.rejects.size(), 1u) << imported.why();
  EXPECT_EQ(imported.rejects[0].file, "months.zip/readme.txt");
  EXPECT_EQ(imported.reports.size(), 3u);
  EXPECT_EQ(imported.reports[0].file, "months.zip/one.csv");
  write_zip(folder.path() + "/locked.zip", {{"one.csv", retail_header + retail_row(1)}}, 1, "secret");
  EXPECT_NE(import_path(folder.path() + "/locked.zip").error.find("password"), std::string::npos)
      << import_path(folder.path() + "/locked.zip").why();
  std::vector<std::pair<std::string, std::string>> many(1001, {"a.csv", "a,b\n"});
  write_zip(folder.path() + "/many.zip", many);
  EXPECT_NE(import_path(folder.path() + "/many.zip").error.find("more than 1000 files"), std::string::npos);
}

TEST(BadInput, WhatIsNoTableIsNamed) {
  std::string noise;
  for (int index = 0; index < 5000; ++index) noise += static_cast<char>(index * index * 7 + index % 3);
  EXPECT_NE(import_text("a.csv", noise).error.find("this is not a table"), std::string::npos);
  EXPECT_NE(import_text("a.csv", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise).error.find(".xls"), std::string::npos);
  EXPECT_NE(import_text("a.csv", "%PDF-1.7\n").error.find("PDF"), std::string::npos);
  EXPECT_NE(import_text("a.xls", "<html><table><tr><td>1</td></tr></table></html>").error.find("HTML"), std::string::npos);
  EXPECT_NE(import_text("a.csv", "").error.find("empty"), std::string::npos);
  EXPECT_NE(import_path("/tmp/xd.none/none.csv").error.find("cannot be opened"), std::string::npos);
  EXPECT_NE(import_text("a.zip", "PK\x03\x04 and then nothing of the kind").error, "");
}

TEST(BadInput, AnUnknownHeaderNamesTheNearestFormat) {
  const Imported imported =
      import_text("a.csv", "InvoiceNo,StockCode,Qty,InvoiceDate,UnitPrice,Country\n1,A,1,2010-12-01,1,France\n");
  EXPECT_NE(imported.error.find("uci.online_retail"), std::string::npos) << imported.error;
  EXPECT_NE(imported.error.find("Quantity"), std::string::npos) << imported.error;
  EXPECT_NE(import_text("a.csv", "a,b\n1,2\n").error.find("no header of a known format"), std::string::npos);
}

TEST(BadInput, AMissingColumnIsNamed) {
  ImportOptions options;
  options.format = "uci.online_retail";
  const Imported imported =
      import_text("a.csv", "InvoiceNo,StockCode,InvoiceDate,UnitPrice,Country\n1,A,2010-12-01,1,France\n", options);
  EXPECT_NE(imported.error.find("the column Quantity is missing"), std::string::npos) << imported.error;
  options.format = "uci.online_retial";
  EXPECT_NE(import_text("a.csv", "a,b\n", options).error.find("did you mean \"uci.online_retail\"?"), std::string::npos);
}

TEST(BadInput, BadRowsAreRejectedWithTheirLines) {
  const std::string text = retail_header +
                           "500001,SKU,\"a mug,\nblue\",2,2010-12-01 08:26:00,2.55,17850.0,France\n"  // 2, 3
                           "500002,SKU,MUG,two,2010-12-01 08:26:00,2.55,17850.0,France\n"             // 4
                           "500003,SKU,MUG,2,yesterday,2.55,17850.0,France\n"                         // 5
                           "500004,SKU,MUG, 13812345678,2,2010-12-01 08:26:00,2.55,17850.0,France\n"  // 6
                           "500005,SKU,M\xff\xfeG,2,2010-12-01 08:26:00,2.55,17850.0,France\n"        // 7
                           "500006,SKU,MUG,2\n"                                                       // 8
                           "500007,SKU,\"MUG,2,2010-12-01 08:26:00,2.55,17850.0,France\n"             // 9: a stray quote
                           "500008,SKU,MUG,2,2010-12-01 08:26:00,2.55,17850.0,\n"                     // 10
                           "500009,SKU,MUG,2,2010-12-01 08:26:00,2.55,17850.0,France\n";
  const Imported imported = import_text("a.csv", text);
  ASSERT_EQ(imported.error, "");
  std::vector<std::pair<uint64_t, std::string>> at;
  for (const Reject& reject : imported.rejects) at.emplace_back(reject.line, reject.column);
  const std::vector<std::pair<uint64_t, std::string>> expected = {
      {4, "Quantity"}, {5, "InvoiceDate"}, {6, ""}, {7, ""}, {8, ""}, {9, ""}, {10, ""}};
  EXPECT_EQ(at, expected) << imported.why();
  EXPECT_EQ(imported.count(v1::Fact::kOrderState), 2u) << imported.why();
  EXPECT_NE(imported.find(v1::Fact::kOrderState, "500009"), nullptr);
  EXPECT_EQ(imported.reports[0].rejected, 7u);
  for (const Reject& reject : imported.rejects) EXPECT_EQ(reject.row.find("13812345678"), std::string::npos);
  EXPECT_EQ(imported.rejects[0].row, "500002,SKU,MUG,two,2010-12-01 08:26:00,2.55,***,France");
}

TEST(BadInput, ARowWithoutEndIsGivenUp) {
  std::string text = retail_header + "500001,SKU,\"open";
  text += std::string(3u << 20, 'x') + "\n" + retail_row(2);
  const Imported imported = import_text("a.csv", text);
  ASSERT_EQ(imported.rejects.size(), 1u) << imported.error;
  EXPECT_NE(imported.rejects[0].reason.find("longer than 1 MB"), std::string::npos);
  EXPECT_EQ(imported.count(v1::Fact::kOrderState), 1u);
}

}  // namespace

}  // namespace xundian::intake
