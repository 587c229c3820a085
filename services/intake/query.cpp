#include <algorithm>
#include <memory>

#include "services/intake/jobs.h"
#include "services/intake/state.h"
#include "services/intake/weigh.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::intake {

namespace {

using Folds = std::span<IntakeFold* const>;

const IntakeFold* find_fold(Folds folds, std::string_view scope) {
  for (const IntakeFold* fold : folds)
    if (fold->scope == scope) return fold;
  return nullptr;
}

Result<query::v1::WeighResponse> weigh(Weigher& weigher, Folds folds, const query::v1::WeighRequest& request) {
  const IntakeFold* fold = find_fold(folds, request.scope());
  query::v1::WeighResponse response;
  weigher.settle(fold, request.scope());
  for (const std::string& frame : request.frames()) {
    std::string_view rest = frame;
    TRY_VOID(split_frame(rest));
    if (!rest.empty()) return fail(Code::invalid_argument, "{} bytes behind a fact", rest.size());
    *response.add_facts() = weigher.weigh(fold, request.scope(), FactView(frame, 0, 0), request.import_id(), request.lift());
  }
  return response;
}

Result<query::v1::ListStoresResponse> list_stores(Folds folds) {
  query::v1::ListStoresResponse response;
  for (const IntakeFold* fold : folds) {
    for (const StoreInfo* store : fold->stores().all()) {
      query::v1::Store described = fold->stores().describe(*store);
      described.set_scope(fold->scope);
      *response.add_stores() = std::move(described);
    }
  }
  std::sort(response.mutable_stores()->begin(), response.mutable_stores()->end(),
            [](const query::v1::Store& a, const query::v1::Store& b) { return a.id() < b.id(); });
  return response;
}

query::v1::KnownImport describe(const IntakeFold& fold, uint64_t id, const ImportInfo& info) {
  query::v1::KnownImport known;
  known.set_import_id(id);
  known.set_file(info.done.file());
  known.set_format(info.done.format());
  known.set_rows(info.done.rows());
  known.set_facts(info.done.facts());
  known.set_rejected(info.done.rejected());
  known.set_undone(info.undone());
  known.set_scope(fold.scope);
  return known;
}

Result<query::v1::ListImportsResponse> list_imports(Folds folds, const query::v1::ListImportsRequest& request) {
  query::v1::ListImportsResponse response;
  for (const IntakeFold* fold : folds) {
    if (!request.scope().empty() && fold->scope != request.scope()) continue;
    for (const auto& [id, info] : fold->imports()) *response.add_imports() = describe(*fold, id, info);
  }
  std::sort(response.mutable_imports()->begin(), response.mutable_imports()->end(),
            [](const query::v1::KnownImport& a, const query::v1::KnownImport& b) { return a.import_id() > b.import_id(); });
  return response;
}

tl::unexpected<Error> no_jobs() { return fail(Code::unimplemented, "this process runs no imports"); }

Result<query::v1::StartImportResponse> start_import(Jobs* jobs, const query::v1::StartImportRequest& request) {
  if (jobs == nullptr) return no_jobs();
  query::v1::StartImportResponse response;
  response.set_job(TRY(jobs->start(request)));
  return response;
}

// A job of this process's life; of an earlier one, what the journal kept of it.
Result<query::v1::GetImportResponse> get_import(Jobs* jobs, Folds folds, const query::v1::GetImportRequest& request) {
  if (jobs == nullptr) return no_jobs();
  if (auto state = jobs->find(request.job())) return std::move(*state);
  for (const IntakeFold* fold : folds) {
    const auto found = fold->imports().find(request.job());
    if (found == fold->imports().end()) continue;
    const query::v1::KnownImport known = describe(*fold, found->first, found->second);
    query::v1::GetImportResponse response;
    response.set_done(true);
    response.set_phase("done");
    response.set_import_id(known.import_id());
    response.mutable_total()->set_file(known.file());
    response.mutable_total()->set_format(known.format());
    response.mutable_total()->set_rows(known.rows());
    response.mutable_total()->set_facts(known.facts());
    response.mutable_total()->set_rejected(known.rejected());
    return response;
  }
  return fail(Code::not_found,
              "there is no job {}; if intake was restarted meanwhile, import the files again: nothing counts twice",
              request.job());
}

Result<query::v1::UndoImportResponse> undo_import(Jobs* jobs, Folds folds, const query::v1::UndoImportRequest& request) {
  if (jobs == nullptr) return no_jobs();
  const IntakeFold* fold = find_fold(folds, request.scope().empty() ? "default/default" : request.scope());
  if (fold != nullptr) {
    const auto found = fold->imports().find(request.import_id());
    if (found != fold->imports().end() && found->second.undone())
      return fail(Code::failed_precondition, "import {} was undone already", request.import_id());
  }
  query::v1::UndoImportResponse response;
  response.set_job(TRY(jobs->undo(request)));
  return response;
}

Result<std::string> answer(Weigher& weigher, Jobs* jobs, std::span<Fold* const> folds, std::string_view method,
                           std::string_view request) {
  if (method == "Weigh")
    return answer_as<IntakeFold, query::v1::WeighRequest>(
        folds, request, [&](Folds all, const auto& asked) { return weigh(weigher, all, asked); });
  if (method == "ForgetWeighed")
    return answer_as<IntakeFold, query::v1::ForgetWeighedRequest>(folds, request, [&](Folds, const auto& asked) {
      weigher.forget(asked.import_id());
      return Result<query::v1::ForgetWeighedResponse>(query::v1::ForgetWeighedResponse());
    });
  if (method == "ListStores")
    return answer_as<IntakeFold, query::v1::ListStoresRequest>(folds, request,
                                                               [](Folds all, const auto&) { return list_stores(all); });
  if (method == "ListImports") return answer_as<IntakeFold, query::v1::ListImportsRequest>(folds, request, list_imports);
  if (method == "StartImport")
    return answer_as<IntakeFold, query::v1::StartImportRequest>(
        folds, request, [&](Folds, const auto& asked) { return start_import(jobs, asked); });
  if (method == "GetImport")
    return answer_as<IntakeFold, query::v1::GetImportRequest>(
        folds, request, [&](Folds all, const auto& asked) { return get_import(jobs, all, asked); });
  if (method == "UndoImport")
    return answer_as<IntakeFold, query::v1::UndoImportRequest>(
        folds, request, [&](Folds all, const auto& asked) { return undo_import(jobs, all, asked); });
  return fail(Code::unimplemented, "intake has no method {}", method);
}

}  // namespace

ServiceDefinition definition(Jobs* jobs) {
  ServiceDefinition definition;
  definition.name = "intake";
  const auto* envelope = v1::Fact::descriptor()->FindOneofByName("fact");
  for (int index = 0; index < envelope->field_count(); ++index) {
    const auto kind = static_cast<Kind>(envelope->field(index)->number());
    if (is_outside_kind(kind)) definition.kinds.push_back(kind);
  }
  definition.shape = 3;
  definition.has_fingerprint = false;
  definition.make_fold = [] { return std::make_unique<IntakeFold>(); };
  // Used by the loop's thread alone, like the folds.
  definition.answer = [weigher = std::make_shared<Weigher>(), jobs](std::span<Fold* const> folds, std::string_view method,
                                                                    std::string_view request) {
    return answer(*weigher, jobs, folds, method, request);
  };
  return definition;
}

}  // namespace xundian::intake
