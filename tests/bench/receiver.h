// A webhook's receiver, within the bench: it knows when the first notice of each thing had come in whole.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "common/error.h"

namespace xundian::bench {

class Receiver {
 public:
  // A notice says what it is about in the first text under `field` of its JSON.
  explicit Receiver(const std::string& field);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  std::string origin() const;
  std::string url() const { return origin() + "/hook"; }
  // When the first notice of it came, as now_ns; fails if none comes in time.
  Result<int64_t> wait_for(const std::string& thing);
  // How many things notices came of.
  size_t count();

 private:
  void note(std::string_view body, int64_t now);

  const std::string opening_;  // What stands before a thing's name.
  httplib::Server server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int64_t, std::less<>> came_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace xundian::bench
