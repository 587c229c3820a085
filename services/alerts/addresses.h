// Which addresses a delivery may go to: a subscriber must not make us speak to our own network.
#pragma once

#include <sys/socket.h>

#include <string>

#include "common/error.h"

namespace xundian::alerts {

// Whether an address belongs to the public internet: no loopback, private, link-local, shared (CGNAT), unique local, multicast,
// reserved or translated one.
bool is_public(const sockaddr& address);

// Refuses what is no https address of the public kind: other schemes, user info, other ports than 443 and 8443. Where private
// targets are allowed, http and any port are too.
Result<void> check_url(const std::string& url, bool allow_private);

}  // namespace xundian::alerts
