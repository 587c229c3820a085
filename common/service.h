// What a service is to the runner: a pure fold per partition, and answers from the folds' states.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/error.h"
#include "common/fact_view.h"
#include "common/hash.h"
#include "common/held.h"

namespace xundian {

inline constexpr Millis never = std::numeric_limits<Millis>::max();

// What a fold says in answer to one input. It goes into the partition of the input.
class Outbox {
 public:
  // A new fact; the fold sets store, key and the state. The runner sets source, cause, as_of_ms and occurred_ms (the time now),
  // where the fold left them empty.
  v1::Fact& add() { return facts_.emplace_back(); }
  std::vector<v1::Fact>& facts() { return facts_; }
  const std::vector<v1::Fact>& facts() const { return facts_; }
  // The input cannot be read. It is skipped, counted, and said to people.
  void reject(std::string why) { rejected_ = std::move(why); }
  const std::string& rejected() const { return rejected_; }
  void clear() {
    facts_.clear();
    rejected_.clear();
  }

 private:
  std::vector<v1::Fact> facts_;
  std::string rejected_;
};

// The state of a service for one group of stores, and how it changes. No clock, no I/O, no randomness, no failure.
class Fold {
 public:
  virtual ~Fold() = default;
  // "tenant/group" of the stores; set by the runner when the fold is made.
  std::string scope;
  // This fact comes to `fold` within the next few, if nothing is amiss: a fold may read it, and ask memory for what it will look
  // at. It changes nothing that is known, and need not be called. The fact has no time yet. One of no kind says that none
  // follows, and those told of before come nearer.
  virtual void expect(const FactView& /*fact*/) {}
  // An input: a fact of one of the service's kinds that it did not say itself. Its time_ms is now.
  virtual void fold(const FactView& fact, Outbox& outbox) = 0;
  // What this service said, handed to it right after the input it answers, live and on a restart alike. State that decides what
  // is said next (a finding that holds) changes here and nowhere else.
  virtual void said(const FactView& /*fact*/) {}
  // Time has come to `now`, which is at or behind next_wake(); called before the record that brought the time is folded.
  virtual void wake(Millis /*now*/, Outbox& /*outbox*/) {}
  // When time alone will change something; `never` if it will not.
  virtual Millis next_wake() const { return never; }
  // The whole state as bytes, and back. load returns false if the bytes are not such a state.
  virtual void save(std::string& bytes) const = 0;
  virtual bool load(ByteReader bytes) = 0;
  // What it holds in memory, kind by kind. It may walk over all of it.
  virtual std::vector<Held> held() const { return {}; }
  // Adds every counter and every thing's merged aspects; see `fingerprint` in the outside contract.
  virtual void fingerprint(Fingerprint& sum) const = 0;
};

// Everything the runner has to know of a service.
struct ServiceDefinition {
  std::string name;         // "inventory"
  std::vector<Kind> kinds;  // The kinds it folds.
  // Changes with the layout of the saved state; a snapshot of another shape is not loaded.
  uint64_t shape = 0;
  bool has_fingerprint = true;
  std::function<std::unique_ptr<Fold>()> make_fold;
  // Methods whose answers somebody acts on: refused while the past is replayed, for what was due then was done then.
  std::vector<std::string> present_only;
  // Answers a query from the states as they stand, one fold for each group of the asking tenant. Code::unimplemented for a method
  // it does not know. What adds up much asks Patience::is_over() (common/patience.h) every millisecond or so.
  std::function<Result<std::string>(std::span<Fold* const> folds, std::string_view method, std::string_view request)> answer;
};

// Parses a request, calls `handle(folds of the concrete type, request)`, serializes the answer.
template <typename ConcreteFold, typename Request, typename Handle>
Result<std::string> answer_as(std::span<Fold* const> folds, std::string_view request_bytes, Handle&& handle) {
  Request request;
  if (!request.ParseFromArray(request_bytes.data(), static_cast<int>(request_bytes.size())))
    return fail(Code::invalid_argument, "the request is no {}", Request::descriptor()->full_name());
  std::vector<ConcreteFold*> concrete;
  for (Fold* fold : folds) concrete.push_back(static_cast<ConcreteFold*>(fold));
  auto response = handle(std::span<ConcreteFold* const>(concrete), request);
  if (!response) return tl::unexpected(std::move(response.error()));
  return response->SerializeAsString();
}

// Runs a service until SIGTERM: flags, home, snapshot, replay, the loop. Returns the process's exit status.
int run_service(int argc, char** argv, const ServiceDefinition& definition);

}  // namespace xundian
