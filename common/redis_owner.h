// Who may write a journal's stream: by an epoch of its own, on a Redis that keeps what it is given, with all its replicas.
#pragma once

#include <string>

#include "common/redis_stream.h"

namespace xundian {

struct RedisOptions {
  RedisAddress address;              // Of the primary.
  std::string key;                   // Of the stream.
  std::string folder;                // Of the volumes that older commits are moved to; the journal's own.
  uint32_t replicas = 0;             // All that the primary has: each must hold a commit before it is acknowledged.
  size_t volume_bytes = 256u << 20;  // A new unit, and in the archive a new volume, begins behind so much.
  size_t window_bytes = 64u << 20;   // The stream keeps about so much.
  Millis timeout_ms = 1000;          // For one command.
  Millis patience_ms = 10'000;       // For a Redis that is not ready yet when the journal is opened.
  Millis check_ms = 5000;            // How often its settings are looked at.
};

// In all that follows Code::unavailable passes by itself; any other error does not, and ends the owner.
class StreamOwner {
 public:
  explicit StreamOwner(const RedisOptions& options);

  RedisLink& link() { return link_; }
  uint64_t epoch() const { return epoch_; }
  // Whether the connection lives, its epoch is the newest, and the replicas have all that was there when it began.
  bool owns() const { return state_ == State::owned && link_.connected(); }
  // What became of the last command is not known: take() begins a new epoch, so that it can neither land later nor twice.
  void lose();
  // Tries once to get there. `may_make`: the stream need not exist.
  Result<void> take(bool may_make);
  // Whether all replicas have what was written on this connection.
  Result<void> wait_for_replicas();
  Result<void> check_settings();

  // Why the last of these failed: a setting that has to be set otherwise; a Redis that takes no writes.
  bool wrong_settings() const { return wrong_settings_; }
  bool takes_no_writes() const { return takes_no_writes_; }

  // As WAIT is said, and what its reply means.
  RedisWords wait_words() const { return {"WAIT", replicas_text_, wait_text_}; }
  Result<void> judge_wait(const Result<RedisReply>& reply);
  // A link's error as it is said here; what may have reached Redis or not makes the epoch lost.
  tl::unexpected<Error> passing(const Error& error);

 private:
  enum class State { lost, marked, owned };
  Result<void> begin_epoch(bool may_make);
  Result<void> check_replication();
  tl::unexpected<Error> wrong(const std::string& why);

  const RedisOptions& options_;
  RedisLink link_;
  const std::string replicas_text_, wait_text_;
  std::string name_;  // Random: by it a mark is known to be ours.
  uint64_t epoch_ = 0;
  bool epoch_was_owned_ = false;
  State state_ = State::lost;
  bool wrong_settings_ = false;
  bool takes_no_writes_ = false;
};

}  // namespace xundian
