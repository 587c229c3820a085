// The bus as a process: sockets, clock and disk around the sequencer. One thread.
#pragma once

#include <memory>
#include <string>
#include <zmq.hpp>

#include "common/home.h"
#include "common/journal.h"
#include "common/query.h"
#include "services/bus/commit_times.h"
#include "services/bus/config.h"
#include "services/bus/journal_size.h"
#include "services/bus/sequencer.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::bus {

class Shell {
 public:
  // Takes the journal's lock, recovers, opens a new epoch, and only then the sockets. `signals` is a signalfd.
  static Result<std::unique_ptr<Shell>> open(const Home& home, const Config& config, uint32_t bus, int signals);
  // Serves until a signal comes. An error: the journal could not be written, and the process must end.
  Result<void> run();

 private:
  Shell(const Home& home, uint32_t bus, int signals);
  Result<void> bind();
  Millis wait_ms() const;
  void take_puts();
  void take_fetch();
  void take_listeners();
  Result<void> open_journal(const Config& config);
  Result<void> tidy();
  Result<void> commit();
  void send_outputs();
  void look_at_disk();
  Result<std::string> answer(std::string_view method);
  query::v1::GetBusStatusResponse status();

  Home home_;
  uint32_t bus_ = 0;
  int signals_ = -1;
  std::string journal_folder_;
  JournalSize journal_size_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<JournalReader> reader_;
  std::unique_ptr<Sequencer> sequencer_;
  zmq::socket_t put_;
  zmq::socket_t fetch_;
  zmq::socket_t bell_;
  std::unique_ptr<QueryServer> query_;
  Disk disk_;
  bool disk_warned_ = false;
  std::string trouble_told_;
  Millis started_ms_ = 0;
  Millis disk_seen_at_ = 0;
  Millis next_beat_ = 0;
  CommitTimes commit_times_;
};

}  // namespace xundian::bus
