// The delivery shell: a thread that asks the service beside it what is due, sends it, and says what became of it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace xundian::alerts {

// The home to deliver for, if these are the arguments of a service that runs, and its instance 0; others deliver nothing.
std::optional<std::string> home_to_deliver(int argc, char** argv);

class Delivery {
 public:
  explicit Delivery(std::string home_folder);
  // Ends the thread. What is under way is given up; it is sent again, under the same id, by the next one.
  ~Delivery();

 private:
  struct Work;
  std::unique_ptr<Work> work_;
  std::thread thread_;
};

}  // namespace xundian::alerts
