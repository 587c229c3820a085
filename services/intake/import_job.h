// Imports files, and takes imports back: what a job does from its first byte to the last fold that has its facts.
#pragma once

#include "services/intake/importer.h"
#include "services/intake/jobs.h"
#include "services/intake/outside.h"

namespace xundian::intake {

using ImportFile = decltype(import_file);

Result<void> run_import(const Task& task, Outside& outside, const std::function<ImportFile>& read, const Watch& watch);
Result<void> run_undo(const Task& task, Outside& outside, const Watch& watch);

}  // namespace xundian::intake
