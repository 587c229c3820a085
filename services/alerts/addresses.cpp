#include "services/alerts/addresses.h"

#include <curl/curl.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <memory>

namespace xundian::alerts {

namespace {

// An IPv4 network, in host order.
struct Network {
  uint32_t prefix;
  int bits;
};

constexpr uint32_t ipv4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

// What IANA's registry of special-purpose addresses keeps from the public internet.
constexpr Network closed_ipv4[] = {
    {ipv4(0, 0, 0, 0), 8},      {ipv4(10, 0, 0, 0), 8},     {ipv4(100, 64, 0, 0), 10}, {ipv4(127, 0, 0, 0), 8},
    {ipv4(169, 254, 0, 0), 16}, {ipv4(172, 16, 0, 0), 12},  {ipv4(192, 0, 0, 0), 24},  {ipv4(192, 0, 2, 0), 24},
    {ipv4(192, 88, 99, 0), 24}, {ipv4(192, 168, 0, 0), 16}, {ipv4(198, 18, 0, 0), 15}, {ipv4(198, 51, 100, 0), 24},
    {ipv4(203, 0, 113, 0), 24}, {ipv4(224, 0, 0, 0), 4},    {ipv4(240, 0, 0, 0), 4},
};

bool is_public_ipv4(uint32_t address) {
  for (const Network& network : closed_ipv4)
    if ((address ^ network.prefix) >> (32 - network.bits) == 0) return false;
  return true;
}

// Only global unicast (2000::/3) is public, and of it not what carries an IPv4 address inside or is set apart.
bool is_public_ipv6(const std::array<uint8_t, 16>& address) {
  if ((address[0] & 0xe0) != 0x20) return false;               // Loopback, ::ffff:a.b.c.d, 64:ff9b::, fc00::, fe80::, ff00::.
  if (address[0] == 0x20 && address[1] == 0x02) return false;  // 2002::/16, 6to4.
  if (address[0] == 0x20 && address[1] == 0x01 && address[2] < 0x02) return false;  // 2001::/23, Teredo among it.
  if (address[0] == 0x20 && address[1] == 0x01 && address[2] == 0x0d && address[3] == 0xb8) return false;  // Documentation.
  return !(address[0] == 0x3f && address[1] == 0xff && address[2] < 0x10);  // 3fff::/20, documentation.
}

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

bool is_public(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in ip;
    std::memcpy(&ip, &address, sizeof ip);
    return is_public_ipv4(ntohl(ip.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 ip;
  std::memcpy(&ip, &address, sizeof ip);
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &ip.sin6_addr, bytes.size());
  return is_public_ipv6(bytes);
}

Result<void> check_url(const std::string& url, bool allow_private) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return fail(Code::invalid_argument, "the address is no URL");
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME), port = part_of(parsed.get(), CURLUPART_PORT);
  if (scheme != "https" && !(allow_private && scheme == "http"))
    return fail(Code::invalid_argument, "the address must begin with https://");
  if (!part_of(parsed.get(), CURLUPART_USER).empty() || !part_of(parsed.get(), CURLUPART_PASSWORD).empty())
    return fail(Code::invalid_argument, "the address must name no user");
  if (!allow_private && !port.empty() && port != "443" && port != "8443")
    return fail(Code::invalid_argument, "port {} is not allowed; use 443 or 8443, or allow private targets", port);
  return {};
}

}  // namespace xundian::alerts
