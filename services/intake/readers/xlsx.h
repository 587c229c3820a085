// Workbooks (.xlsx): every sheet as rows of text. Numbers stay as they are written in the file, so dates come as serial numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/intake/readers/archive.h"
#include "services/intake/readers/row.h"

namespace xundian::intake {

struct Sheet {
  std::string name;
  std::unique_ptr<RowReader> rows;
};

// True if these members make a workbook.
bool is_workbook(const std::vector<ArchiveMember>& members);

// The sheets in the workbook's order, those without a row left out.
Result<std::vector<Sheet>> open_workbook(const ArchiveInput& input);

}  // namespace xundian::intake
