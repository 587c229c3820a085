// The demo's world as the platforms would export it: their own files, columns, words and encodings.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/error.h"
#include "services/demo/world.h"

namespace xundian::demo {

// Writes every file below `folder`, one folder "@<store>" for each store, and returns their paths in the order of time.
Result<std::vector<std::string>> write_exports(const std::vector<Store>& stores, const std::string& folder,
                                               const std::function<void(size_t done, size_t all)>& progress);

}  // namespace xundian::demo
