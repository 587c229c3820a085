// Large pages that a child has broken up. While a process has a child, what either changes is copied in pages of 4 KB, and a
// large page of which one was copied stays in pieces when the child is gone: for tables that lie all over it the processor walks
// the system's page tables again and again from then on. By itself the system makes some megabytes a second whole again, for all
// processes together.
#pragma once

#include <atomic>
#include <thread>

namespace xundian {

// Makes them whole in a thread that rests between, where a quarter of a part of memory is broken up. What the system cannot do,
// or does not know how to, stays as it is.
class LargePages {
 public:
  void mend();  // If the thread is at it, it begins anew when it is done.

 private:
  std::atomic<int> asked_ = 0;  // How often, since it began; 0: it does not run.
  std::jthread thread_;
};

}  // namespace xundian
