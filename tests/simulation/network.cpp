#include "tests/simulation/network.h"

namespace xundian::simulation {

void Network::send(Millis now, Mail mail, bool dense) {
  using wire::v1::MessageType;
  const bool answer = mail.type == MessageType::MESSAGE_TYPE_ACK || mail.type == MessageType::MESSAGE_TYPE_NACK;
  const bool put = mail.type == MessageType::MESSAGE_TYPE_PUT;
  const bool free = answer || (put && dense);  // A fold's numbers have holes: its connection must keep what it carries in order.
  if (free && happens(dice_, weather_.drop)) return;
  Millis& last = last_[mail.from + ">" + mail.to];
  const Millis at = free && happens(dice_, weather_.reorder) ? now + delay() : std::max(last, now + delay());
  last = std::max(last, at);
  if ((answer || put) && happens(dice_, weather_.repeat)) mails_.emplace(last += delay(), mail);
  mails_.emplace(at, std::move(mail));
}

void Network::ring(Millis now, const Mail& mail) {
  if (happens(dice_, weather_.drop)) return;
  if (happens(dice_, weather_.repeat)) mails_.emplace(now + delay(), mail);
  mails_.emplace(now + delay(), mail);
}

void Network::cut(const std::string& connection, Millis now) {
  const Millis until = now + delay() / 2;
  std::erase_if(mails_, [&](const auto& mail) {
    return mail.second.to == connection || (mail.second.from == connection && mail.first > until);
  });
}

std::optional<Mail> Network::take(Millis now) {
  if (mails_.empty() || mails_.begin()->first > now) return std::nullopt;
  Mail mail = std::move(mails_.begin()->second);
  mails_.erase(mails_.begin());
  return mail;
}

}  // namespace xundian::simulation
