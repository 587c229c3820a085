#include "common/redis_owner.h"

#include <random>
#include <set>

#include "common/mutant.h"

namespace xundian {

namespace {

constexpr Millis wait_ms = 100;  // For the replicas, at a time: the one who waits has readers to serve.
constexpr int epoch_attempts = 10;

std::string random_name() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

// "name:value" of a line of INFO.
std::string_view info_value(std::string_view info, std::string_view name) {
  const std::string start = fmt::format("\n{}:", name);
  const size_t at = info.find(start);
  if (at == info.npos) return {};
  const std::string_view rest = info.substr(at + start.size());
  return rest.substr(0, rest.find_first_of("\r\n"));
}

// A replica that came back may be listed twice for a while, under one address; one that has no port has no address.
std::set<std::string> replicas_in(std::string_view info) {
  std::set<std::string> replicas;
  for (int index = 0;; ++index) {
    const std::string_view replica = info_value(info, fmt::format("slave{}", index));
    if (replica.empty()) return replicas;
    const std::string_view address = replica.substr(0, replica.find(",state="));
    replicas.insert(address.ends_with("port=0") ? fmt::format("{} {}", address, index) : std::string(address));
  }
}

}  // namespace

StreamOwner::StreamOwner(const RedisOptions& options)
    : options_(options),
      link_(options.address, options.timeout_ms),
      replicas_text_(std::to_string(options.replicas)),
      wait_text_(std::to_string(wait_ms)),
      name_(random_name()) {}

void StreamOwner::lose() {
  state_ = State::lost;
  link_.drop();
}

tl::unexpected<Error> StreamOwner::passing(const Error& error) {
  takes_no_writes_ = error.code == Code::resource_exhausted;
  switch (error.code) {
    case Code::unknown:  // What became of it is not known.
    case Code::aborted:  // No longer the primary, or not yet.
      lose();
      [[fallthrough]];
    case Code::unavailable:
    case Code::resource_exhausted:
      return tl::unexpected(Error{Code::unavailable, error.message});
    default:
      return tl::unexpected(error);
  }
}

Result<void> StreamOwner::take(bool may_make) {
  wrong_settings_ = takes_no_writes_ = false;
  if (!link_.connected()) state_ = State::lost;
  if (state_ == State::lost) {
    if (const auto connected = link_.connect(); !connected) return passing(connected.error());
    const auto checked = check_settings();
    const auto begun = checked ? begin_epoch(may_make) : checked;
    if (!begun) {
      link_.drop();
      return begun;
    }
    state_ = State::marked;
  }
  // The mark was written on this connection, behind all that was there: so this covers all of it.
  TRY_VOID(wait_for_replicas());
  state_ = State::owned;
  epoch_was_owned_ = true;
  return {};
}

Result<void> StreamOwner::begin_epoch(bool may_make) {
  for (int attempt = 0; attempt < epoch_attempts; ++attempt) {
    const auto last = read_last(link_, options_.key);
    if (!last) return passing(last.error());
    if (last->owned_epoch > epoch_ && epoch_ != 0 && last->mark != name_)
      return fail(
          Code::failed_precondition,
          "another bus has taken over the stream {} at {} in epoch {}, ours was {}; this one must stop: one bus writes it",
          options_.key, options_.address.text(), last->owned_epoch, epoch_);
    if (last->epoch < epoch_ && epoch_was_owned_)
      return fail(Code::data_loss,
                  "the Redis at {} has lost epoch {} of the stream {}, it ends with {}; point the bus at the one that has it",
                  options_.address.text(), epoch_, options_.key, last->epoch);
    if (last->epoch >= stream_epoch_max) return fail(Code::internal, "the stream {} has no epochs left", options_.key);
    const StreamId id{last->epoch + 1, 0, true};
    RedisWords words{"XADD", options_.key};
    if (!may_make) words.push_back("NOMKSTREAM");
    const std::string id_text = id.text();
    words.insert(words.end(), {id_text, "e", name_});
    const auto added = link_.ask(words);
    if (!added && added.error().code == Code::already_exists) continue;  // Somebody was faster; who that was is to be looked at.
    if (!added) return passing(added.error());
    if ((*added)->type == REDIS_REPLY_NIL)
      return fail(Code::data_loss, "the stream {} is gone from the Redis at {}", options_.key, options_.address.text());
    epoch_ = id.epoch;
    epoch_was_owned_ = false;
    return {};
  }
  return fail(Code::unavailable, "others keep beginning epochs of the stream {}", options_.key);
}

Result<void> StreamOwner::wait_for_replicas() {
  if (options_.replicas == 0) return {};
  return judge_wait(link_.ask(wait_words()));
}

Result<void> StreamOwner::judge_wait(const Result<RedisReply>& reply) {
  if (!reply) return passing(reply.error());
  const long long have = (*reply)->type == REDIS_REPLY_INTEGER ? (*reply)->integer : 0;
  if (have >= static_cast<long long>(options_.replicas) || mutant("no_wait")) return {};
  return fail(Code::unavailable, "{} of {} replicas of the Redis at {} have what was written; it is not safe yet", have,
              options_.replicas, options_.address.text());
}

tl::unexpected<Error> StreamOwner::wrong(const std::string& why) {
  wrong_settings_ = true;
  return fail(Code::unavailable, "{}", why);
}

Result<void> StreamOwner::check_settings() {
  static constexpr std::pair<std::string_view, std::string_view> needed[] = {
      {"appendonly", "yes"}, {"appendfsync", "always"}, {"no-appendfsync-on-rewrite", "no"}, {"maxmemory-policy", "noeviction"}};
  wrong_settings_ = false;
  RedisWords words{"CONFIG", "GET"};
  for (const auto& [name, value] : needed) words.push_back(name);
  const auto reply = link_.ask(words);
  if (!reply) return passing(reply.error());
  for (const auto& [name, value] : needed) {
    std::string_view is;
    for (size_t index = 0; index + 1 < (*reply)->elements; index += 2)
      if (text_of(*(*reply)->element[index]) == name) is = text_of(*(*reply)->element[index + 1]);
    if (is != value && !mutant("everysec"))
      return wrong(fmt::format("the Redis at {} has {} \"{}\"; a journal needs: CONFIG SET {} {}, and the same in its redis.conf",
                               options_.address.text(), name, is, name, value));
  }
  return check_replication();
}

// WAIT counts any replicas, so those that are to have everything must be all there are.
Result<void> StreamOwner::check_replication() {
  const auto reply = link_.ask({"INFO", "replication"});
  if (!reply) return passing(reply.error());
  const std::string_view info = text_of(**reply);
  if (info_value(info, "role") != "master")
    return fail(Code::unavailable, "the Redis at {} is a replica of {}:{}; point the bus at the primary, or promote this one",
                options_.address.text(), info_value(info, "master_host"), info_value(info, "master_port"));
  if (const size_t attached = replicas_in(info).size(); attached > options_.replicas)
    return wrong(
        fmt::format("the Redis at {} has {} replicas, the bus's redis_replicas says {}; a replica that is not waited for "
                    "may be promoted without what was acknowledged: set redis_replicas = {}",
                    options_.address.text(), attached, options_.replicas, attached));
  return {};
}

}  // namespace xundian
