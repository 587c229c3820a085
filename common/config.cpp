#include "common/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "common/mutant.h"

namespace xundian {

namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

constexpr int key_parts_max = 200;

// The line on which a key has more parts ("a.a.a.…") than the library, which goes down them one call for each, has room for;
// 0 = none.
int line_of_endless_key(std::string_view text) {
  int line = 1, dots = 0;
  for (const char letter : text) {
    if (letter == '\n') ++line;
    if (letter == '\n' || letter == '=' || letter == ',' || letter == '{') dots = 0;
    if (letter == '.' && ++dots > key_parts_max) return line;
  }
  return 0;
}

}  // namespace

struct ConfigTable::Impl {
  std::shared_ptr<toml::table> root;  // Keeps `table` alive.
  toml::table* table = nullptr;
  std::string name;
  std::string path;  // Of this table in the file, "" or "a.b."
  std::shared_ptr<std::vector<Complaint>> complaints;
  std::set<std::string, std::less<>> asked;

  toml::node* find(std::string_view key) {
    asked.emplace(key);
    return table->get(key);
  }
  void complain(const toml::node& node, std::string_view key, std::string why) {
    complaints->push_back({static_cast<int>(node.source().begin.line), path + std::string(key), std::move(why)});
  }
};

ConfigTable::ConfigTable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigTable::ConfigTable(ConfigTable&&) noexcept = default;
ConfigTable& ConfigTable::operator=(ConfigTable&&) noexcept = default;
ConfigTable::~ConfigTable() = default;

Result<ConfigTable> ConfigTable::parse(std::string_view text, std::string_view name) {
  if (const int line = line_of_endless_key(text); line != 0)
    return fail(Code::invalid_argument, "{}:{}: there are more than {} dots in a row of names", name, line, key_parts_max);
  auto impl = std::make_unique<Impl>();
  try {
    impl->root = std::make_shared<toml::table>(toml::parse(text, name));
  } catch (const toml::parse_error& error) {  // Debian builds the library with exceptions; they end here.
    return fail(Code::invalid_argument, "{}:{}: {}", name, error.source().begin.line, error.description());
  }
  impl->table = impl->root.get();
  impl->name = name;
  impl->complaints = std::make_shared<std::vector<Complaint>>();
  return ConfigTable(std::move(impl));
}

Result<ConfigTable> ConfigTable::read_services(const std::string& path) {
  ConfigTable file = TRY(read_file(path));
  for (const char* service : {"bus", "metrics", "campaigns", "inventory", "support", "alerts", "intake", "gateway"})
    file.impl_->asked.insert(service);
  TRY_VOID(file.done());
  return file;
}

Result<ConfigTable> ConfigTable::read_file(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return fail(Code::not_found, "{}: cannot be opened", path);
  std::string text;
  char buffer[65536];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) text.append(buffer, count);
  return parse(text, path);
}

bool ConfigTable::get(std::string_view key, std::string& value) {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return false;
  if (const auto found = node->value_exact<std::string>())
    value = *found;
  else
    impl_->complain(*node, key, "must be a text in quotes");
  return true;
}

bool ConfigTable::get(std::string_view key, int64_t& value, int64_t low, int64_t high) {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return false;
  const auto found = node->value_exact<int64_t>();
  if (!found)
    impl_->complain(*node, key, "must be a whole number");
  else if (*found < low || *found > high)
    impl_->complain(*node, key, fmt::format("{} is out of range {} to {}", *found, low, high));
  else
    value = *found;
  return true;
}

bool ConfigTable::get(std::string_view key, double& value) {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return false;
  if (const auto found = node->value<double>())
    value = *found;
  else
    impl_->complain(*node, key, "must be a number");
  return true;
}

bool ConfigTable::get(std::string_view key, bool& value) {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return false;
  if (const auto found = node->value_exact<bool>())
    value = *found;
  else
    impl_->complain(*node, key, "must be true or false");
  return true;
}

bool ConfigTable::get(std::string_view key, std::vector<std::string>& value) {
  toml::node* node = impl_->find(key);
  if (node == nullptr) return false;
  if (const auto one = node->value_exact<std::string>()) {
    value = {*one};
    return true;
  }
  std::vector<std::string> texts;
  if (const toml::array* array = node->as_array())
    for (const toml::node& item : *array)
      if (const auto text = item.value_exact<std::string>()) texts.push_back(*text);
  if (node->as_array() == nullptr || texts.size() != node->as_array()->size())
    impl_->complain(*node, key, "must be a text or a list of texts");
  else
    value = std::move(texts);
  return true;
}

bool ConfigTable::get_duration(std::string_view key, int64_t& milliseconds) {
  static const std::pair<std::string_view, int64_t> units[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  std::string text;
  const toml::node* node = impl_->table->get(key);
  if (!get(key, text)) return false;
  const size_t unit_at = text.find_first_not_of("0123456789");
  for (const auto& [unit, factor] : units) {
    if (unit_at == 0 || unit_at == std::string::npos || unit_at > 12 || text.substr(unit_at) != unit) continue;
    milliseconds = std::stoll(text.substr(0, unit_at)) * factor;
    return true;
  }
  impl_->complain(*node, key, fmt::format("\"{}\" is no duration; write one like \"30s\", \"5m\", \"2h\"", text));
  return true;
}

std::unique_ptr<ConfigTable> ConfigTable::table(std::string_view key) {
  toml::node* node = impl_->find(key);
  if (node == nullptr) return nullptr;
  if (node->as_table() == nullptr) {
    impl_->complain(*node, key, "must be a table");
    return nullptr;
  }
  auto impl = std::make_unique<Impl>(
      Impl{impl_->root, node->as_table(), impl_->name, impl_->path + std::string(key) + ".", impl_->complaints, {}});
  return std::unique_ptr<ConfigTable>(new ConfigTable(std::move(impl)));
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key) {
  std::vector<ConfigTable> found;
  toml::node* node = impl_->find(key);
  if (node == nullptr) return found;
  toml::array* array = node->as_array();
  if (array == nullptr) {
    impl_->complain(*node, key, fmt::format("must be written as [[{}]]", key));
    return found;
  }
  for (toml::node& item : *array) {
    if (item.as_table() == nullptr) {
      impl_->complain(item, key, fmt::format("must be written as [[{}]]", key));
      continue;
    }
    found.push_back(ConfigTable(std::make_unique<Impl>(
        Impl{impl_->root, item.as_table(), impl_->name, impl_->path + std::string(key) + ".", impl_->complaints, {}})));
  }
  return found;
}

std::vector<std::string> ConfigTable::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : *impl_->table) keys.emplace_back(key.str());
  return keys;
}

int ConfigTable::line() const { return static_cast<int>(impl_->table->source().begin.line); }

int ConfigTable::line_of(std::string_view key) const {
  const toml::node* node = impl_->table->get(key);
  return node != nullptr ? static_cast<int>(node->source().begin.line) : line();
}

void ConfigTable::complain(std::string_view key, const std::string& why) {
  impl_->complaints->push_back({line_of(key), impl_->path + std::string(key), why});
}

std::vector<ConfigTable::Complaint> ConfigTable::finish() {
  const std::vector<std::string> known(impl_->asked.begin(), impl_->asked.end());
  for (const auto& [key, node] : *impl_->table) {
    if (impl_->asked.contains(key.str()) || mutant("any_key")) continue;
    const std::string near = nearest(key.str(), known);
    impl_->complain(node, key.str(), near.empty() ? "is not known" : fmt::format("is not known; did you mean \"{}\"?", near));
  }
  std::vector<Complaint> complaints = *impl_->complaints;
  std::stable_sort(complaints.begin(), complaints.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  return complaints;
}

Result<void> ConfigTable::done() {
  const std::vector<Complaint> complaints = finish();
  if (complaints.empty()) return {};
  const Complaint& first = complaints.front();
  return fail(Code::invalid_argument, "{}:{}: {} {}", impl_->name, first.line, first.key, first.why);
}

std::string nearest(std::string_view name, const std::vector<std::string>& names) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : names) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace xundian
