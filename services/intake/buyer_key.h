// Makes of a buyer's id a number that tells buyers apart and leads back to nobody, with a key made once per tenant.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/error.h"

namespace xundian::intake {

class BuyerKey {
 public:
  // The tenant's key in this folder; made, durable and for its owner's eyes alone, if it is not there.
  static Result<BuyerKey> open_or_make(const std::string& folder, std::string_view tenant);
  // XXH3-64 of the HMAC-SHA256 of platform and id; never 0.
  uint64_t hash(std::string_view platform, std::string_view buyer) const;
  // Tells keys apart; numbers made with two keys cannot be compared.
  uint32_t id() const;

 private:
  std::array<unsigned char, 32> key_{};
};

}  // namespace xundian::intake
