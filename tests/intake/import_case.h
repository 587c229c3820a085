// Imports for tests: writes a file, imports it, keeps what was said.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/hash.h"
#include "services/intake/importer.h"

namespace xundian::intake {

struct Imported {
  std::vector<FileReport> reports;
  std::vector<v1::Fact> facts;
  std::vector<Reject> rejects;
  std::string error;  // Empty = none.

  const v1::Fact* find(v1::Fact::FactCase kind, std::string_view key) const {
    for (const v1::Fact& fact : facts)
      if (fact.fact_case() == kind && fact.key() == key) return &fact;
    return nullptr;
  }
  const v1::OrderState& order(std::string_view key) const {
    static const v1::OrderState none;
    const v1::Fact* fact = find(v1::Fact::kOrderState, key);
    EXPECT_NE(fact, nullptr) << "no order " << key;
    return fact != nullptr ? fact->order_state() : none;
  }
  size_t count(v1::Fact::FactCase kind) const {
    size_t number = 0;
    for (const v1::Fact& fact : facts) number += fact.fact_case() == kind;
    return number;
  }
  // What was said, whatever the order.
  std::multiset<std::string> said() const {
    std::multiset<std::string> all;
    for (const v1::Fact& fact : facts) all.insert(fact.SerializeAsString());
    return all;
  }
  std::string why() const {
    std::string all = error;
    for (const Reject& reject : rejects)
      all += "\n" + reject.file + ":" + std::to_string(reject.line) + " " + reject.column + ": " + reject.reason + " | " +
             reject.row;
    return all;
  }
};

inline Imported import_path(const std::string& path, ImportOptions options = {}) {
  Imported imported;
  if (!options.buyer)
    options.buyer = [](std::string_view platform, std::string_view buyer) {
      return hash64(std::string(platform) + "\n" + std::string(buyer));
    };
  options.buyer_key_id = 7;
  auto reports = import_file(
      path, options, [&](v1::Fact&& fact) { imported.facts.push_back(std::move(fact)); },
      [&](const Reject& reject) { imported.rejects.push_back(reject); }, [](const Progress&) {});
  if (reports)
    imported.reports = std::move(*reports);
  else
    imported.error = reports.error().message;
  return imported;
}

// A folder that is gone when the test is.
class TempFolder {
 public:
  TempFolder() {
    std::string name = "/tmp/xd.XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Imported import_text(const std::string& name, std::string_view text, ImportOptions options = {}) {
  const TempFolder folder;
  return import_path(folder.write(name, text), std::move(options));
}

// A table of other people's data; empty where the folder is not there.
inline std::string data_path(const std::string& name) {
  const char* given = std::getenv("XUNDIAN_DATA");
  const std::string folder = given != nullptr ? given : XUNDIAN_SOURCE_DIR "/../shared/data";
  return std::filesystem::exists(folder + "/" + name) ? folder + "/" + name : std::string();
}

#define NEEDS_DATA(path) \
  if ((path).empty()) GTEST_SKIP() << "the data folder is not there; set XUNDIAN_DATA to run this"

}  // namespace xundian::intake
