#include "common/journal_archive.h"

#include <algorithm>

namespace xundian {

namespace {

// The map is sparse: it takes no disk. A value of a little more than half a page takes a whole one.
size_t map_bytes(size_t volume_bytes, size_t first_bytes) { return 3 * std::max(volume_bytes, first_bytes) + (64u << 20); }

}  // namespace

Result<std::unique_ptr<Archive>> Archive::open(const std::string& folder, size_t volume_bytes) {
  std::unique_ptr<Archive> archive(new Archive(folder, volume_bytes));
  sweep_volumes(folder);
  archive->volumes_ = TRY(list_volumes(folder));
  if (archive->volumes_.empty()) return archive;
  archive->volume_ = TRY(Volume::open(folder, archive->volumes_.back()));
  archive->next_ = TRY(archive->volume_->next());
  if (archive->next_ > archive->volumes_.back()) return archive;
  // Made by one that ended before it could use it.
  archive->volume_.reset();
  TRY_VOID(remove_volume(folder, archive->volumes_.back()));
  archive->volumes_.pop_back();
  if (archive->volumes_.empty())
    archive->next_ = 0;
  else
    archive->volume_ = TRY(Volume::open(folder, archive->volumes_.back()));
  return archive;
}

Result<void> Archive::append(std::span<const Item> items) {
  while (!items.empty()) {
    if (!empty() && items.front().position != next_)
      return fail(Code::data_loss, "position {} was to be archived behind {}", items.front().position, next_);
    if (empty() || items.front().begins_volume) TRY_VOID(begin_volume(items.front()));
    const auto end = std::find_if(items.begin() + 1, items.end(), [](const Item& item) { return item.begins_volume; });
    const auto count = static_cast<size_t>(end - items.begin());
    TRY_VOID(append_to_volume(items.first(count)));
    items = items.subspan(count);
  }
  return {};
}

Result<void> Archive::begin_volume(const Item& first) {
  volume_.reset();
  TRY_VOID(make_volume(folder_, first.position, map_bytes(volume_bytes_, first.commit.size())));
  volume_ = TRY(Volume::open(folder_, first.position));
  volumes_.push_back(first.position);
  next_ = first.position;
  return {};
}

// In one transaction, and so with one sync.
Result<void> Archive::append_to_volume(std::span<const Item> items) {
  MDB_txn* transaction = nullptr;
  int code = mdb_txn_begin(volume_->env(), nullptr, 0, &transaction);
  if (code != MDB_SUCCESS) return lmdb_failed(code, fmt::format("archiving in {}", folder_));
  Position next = next_;
  for (const Item& item : items) {
    CHECK(item.position == next, "commits are archived in their order");
    MDB_val key{sizeof next, &next};
    MDB_val value{item.commit.size(), const_cast<char*>(item.commit.data())};
    code = mdb_put(transaction, volume_->dbi(), &key, &value, MDB_APPEND);
    if (code != MDB_SUCCESS) break;
    next += 1;
  }
  if (code == MDB_SUCCESS)
    code = mdb_txn_commit(transaction);
  else
    mdb_txn_abort(transaction);
  // A volume that is full sooner than was thought has another behind it.
  if (code == MDB_MAP_FULL && !items.front().begins_volume) {
    std::vector<Item> rest(items.begin(), items.end());
    rest.front().begins_volume = true;
    return append(rest);
  }
  if (code != MDB_SUCCESS) return lmdb_failed(code, fmt::format("archiving in {}", folder_));
  next_ = next;
  return {};
}

Result<void> Archive::trim(Position position) {
  while (volumes_.size() > 1 && volumes_[1] <= position) {
    TRY_VOID(remove_volume(folder_, volumes_.front()));
    volumes_.erase(volumes_.begin());
  }
  return {};
}

}  // namespace xundian
