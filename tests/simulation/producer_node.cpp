#include "tests/simulation/producer_node.h"

#include <stdexcept>

namespace xundian::simulation {

void ProducerNode::start() {
  link_ = std::make_unique<NetworkLink>(Link::Options{name_, {id()}, false, dice_() | 1}, network_, now_);
  queued_ = SIZE_MAX;
}

void ProducerNode::suffer() {
  if (happens(dice_, weather_.producer_crash)) restart();
  if (happens(dice_, weather_.cut)) link_->cut();
  if (happens(dice_, weather_.pause)) paused_until_ = now_ + static_cast<Millis>(roll(dice_, 800));
}

// Fenced: an older life of it was heard late. It ends, and is started again.
void ProducerNode::check(const Result<void>& outcome) {
  if (outcome) return;
  if (outcome.error().code != Code::aborted) throw std::runtime_error(outcome.error().message);
  restart();
}

void ProducerNode::turn() {
  if (now_ < paused_until_) return;
  check(link_->turn(now_));
  if (!link_->welcomed()) return;
  if (queued_ == SIZE_MAX) queued_ = link_->acknowledged(0);
  while (queued_ < batches_.size() && link_->may_send() && queued_ < link_->acknowledged(0) + 8)
    link_->send(0, batches_[queued_++]);
  check(link_->turn(now_));
}

bool ProducerNode::deliver(const Mail& mail) {
  if (mail.to != link_->connection()) return false;
  if (link_->listens()) check(link_->take(mail.type, mail.body, now_));
  return true;
}

std::string ProducerNode::describe() const {
  return fmt::format("{} queued {} of {} waiting {} refused \"{}\"", name_, queued_, batches_.size(), link_->unacknowledged(),
                     link_->refusal());
}

}  // namespace xundian::simulation
