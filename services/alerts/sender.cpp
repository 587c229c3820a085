#include "services/alerts/sender.h"

#include <curl/curl.h>
#include <unistd.h>

#include "common/clock.h"
#include "services/alerts/addresses.h"

namespace xundian::alerts {

namespace {

constexpr size_t response_bytes_max = 64u << 10;

void start_curl() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(once == CURLE_OK, "libcurl does not start");
}

}  // namespace

struct Sender::Transfer {
  uint64_t number = 0;
  HttpRequest request;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  size_t received = 0;
  bool refused = false;  // The address is not public.
  char error[CURL_ERROR_SIZE] = {};

  ~Transfer() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }
  // The last moment to look at an address: what the name resolves to now, not what it resolved to when it was checked.
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (!transfer.request.allow_private && !is_public(address->addr)) {
      transfer.refused = true;
      return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }
  // What a receiver answers is of no interest; more than a little ends the transfer.
  static size_t take(char*, size_t size, size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.received += size * count;
    return transfer.received > response_bytes_max ? 0 : size * count;
  }
  HttpOutcome outcome(CURLcode code) const;
};

HttpOutcome Sender::Transfer::outcome(CURLcode code) const {
  HttpOutcome outcome;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &outcome.status);
  const bool too_long = received > response_bytes_max;
  if (code != CURLE_OK && !too_long) {
    outcome.status = 0;  // An answer that broke off is none.
    outcome.error = refused ? "the address leads to a private network, which the subscriber does not allow"
                            : std::string(error[0] != '\0' ? error : curl_easy_strerror(code));
    return outcome;
  }
  curl_header* header = nullptr;
  if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
    outcome.retry_after_ms = parse_retry_after(header->value, wall_ms());
  return outcome;
}

Sender::Sender(Options options) : options_(options) {
  start_curl();
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr, "libcurl does not start");
}

Sender::~Sender() {
  for (const auto& [number, transfer] : transfers_) curl_multi_remove_handle(multi_, transfer->easy);
  transfers_.clear();
  curl_multi_cleanup(multi_);
}

Result<void> Sender::start(uint64_t number, HttpRequest request) {
  TRY_VOID(check_url(request.url, request.allow_private));
  auto transfer = std::make_unique<Transfer>();
  transfer->number = number;
  transfer->request = std::move(request);
  CURL* easy = transfer->easy = curl_easy_init();
  CHECK(easy != nullptr, "libcurl is out of memory");
  for (const std::string& header : transfer->request.headers)
    transfer->headers = curl_slist_append(transfer->headers, header.c_str());
  curl_easy_setopt(easy, CURLOPT_URL, transfer->request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, transfer->request.allow_private ? "http,https" : "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout_ms));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "Xundian/0.1");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer->request.body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->request.body.data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Transfer::take);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, Transfer::open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer.get());
  // A connection into a private network, which one subscriber allows, must not carry what goes to another.
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, transfer->request.allow_private ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, transfer->request.allow_private ? 0L : 1L);
  if (const CURLMcode added = curl_multi_add_handle(multi_, easy); added != CURLM_OK)
    return fail(Code::internal, "libcurl: {}", curl_multi_strerror(added));
  transfers_[number] = std::move(transfer);
  return {};
}

std::vector<Sender::Ended> Sender::turn(int wait_ms, int also_readable) {
  int running = 0;
  curl_multi_perform(multi_, &running);
  curl_waitfd also{also_readable, CURL_WAIT_POLLIN, 0};
  const auto ended_waiting = [&] { return static_cast<size_t>(running) < transfers_.size(); };
  if (!ended_waiting()) {
    curl_multi_poll(multi_, also_readable < 0 ? nullptr : &also, also_readable < 0 ? 0 : 1, wait_ms, nullptr);
    curl_multi_perform(multi_, &running);
  }
  std::vector<Ended> ended;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    char* self = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
    const auto& transfer = *reinterpret_cast<Transfer*>(self);
    ended.push_back({transfer.number, transfer.outcome(message->data.result)});
    curl_multi_remove_handle(multi_, message->easy_handle);
  }
  for (const Ended& one : ended) transfers_.erase(one.number);
  return ended;
}

void Sender::wake() { curl_multi_wakeup(multi_); }

}  // namespace xundian::alerts
