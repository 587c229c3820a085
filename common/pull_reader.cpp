#include "common/pull_reader.h"

#include <algorithm>
#include <vector>

#include "common/clock.h"
#include "common/wire.h"

namespace xundian {

namespace {

constexpr size_t answer_bytes = 1u << 20;

class PullReader : public JournalReader {
 public:
  PullReader(std::string endpoint, PullOptions options)
      : endpoint_(std::move(endpoint)),
        options_(options),
        socket_(make_socket(zmq::socket_type::dealer, answer_message_bytes_max)) {}

  Result<void> connect() {
    socket_ = make_socket(zmq::socket_type::dealer, answer_message_bytes_max);
    return connect_socket(socket_, endpoint_);
  }

  Result<Position> read(Position from, size_t bytes_max, const std::function<bool(const CommitView&)>& visit) override {
    size_t visited = 0;
    do {
      const wire::v1::Fetched answer = TRY(fetch(from, std::clamp<size_t>(bytes_max - visited, 1, answer_bytes)));
      if (from < answer.low_position())
        return fail(Code::out_of_range, "position {} was trimmed away; the lowest is {}", from, answer.low_position());
      if (!answer.error().empty())
        return fail(Code::internal, "the bus at {} cannot read position {}: {}", endpoint_, from, answer.error());
      if (answer.commits().empty()) return from;
      for (const std::string& bytes : answer.commits()) {
        const CommitView commit = TRY(CommitView::open(from, bytes));
        visited += bytes.size();
        ++from;
        if (!visit(commit)) return from;
      }
    } while (visited < bytes_max);
    return from;
  }

  Result<Range> range() override {
    const wire::v1::Fetched answer = TRY(fetch(0, 0));
    return Range{answer.low_position(), answer.next_position()};
  }

 private:
  Result<wire::v1::Fetched> fetch(Position position, size_t bytes_max) {
    wire::v1::Fetch question;
    question.set_position(position);
    question.set_bytes_max(static_cast<uint32_t>(bytes_max));
    const std::string bytes = question.SerializeAsString();
    for (int attempt = 0; attempt < options_.attempts; ++attempt) {
      send_frames(socket_, {type_frame(wire::v1::MESSAGE_TYPE_FETCH), bytes});
      const Millis until = steady_ms() + options_.timeout_ms;
      std::vector<zmq::message_t> frames;
      for (Millis left = options_.timeout_ms; left >= 0; left = until - steady_ms()) {
        if (!poll_socket(socket_, left) || !take_frames(socket_, frames) || frames.size() != 2) continue;
        wire::v1::Fetched answer;
        if (type_of(frames[0]) == wire::v1::MESSAGE_TYPE_FETCHED && parse_frame(frames[1], answer) &&
            answer.position() == position)
          return answer;
      }
      TRY_VOID(connect());  // The question or its answer is lost; one that comes late must not be taken for the next.
    }
    return fail(Code::unavailable, "no answer from {} within {} ms; is the bus running?", endpoint_,
                options_.timeout_ms * options_.attempts);
  }

  std::string endpoint_;
  PullOptions options_;
  zmq::socket_t socket_;
};

}  // namespace

Result<std::unique_ptr<JournalReader>> open_pull_reader(const std::string& fetch_endpoint, PullOptions options) {
  auto reader = std::make_unique<PullReader>(fetch_endpoint, options);
  TRY_VOID(reader->connect());
  return std::unique_ptr<JournalReader>(std::move(reader));
}

Result<std::unique_ptr<JournalReader>> open_home_reader(const Home& home, uint32_t bus, bool pull) {
  if (pull || home.settings().engine == Engine::redis) return open_pull_reader(home.endpoint(fmt::format("bus.{}.fetch", bus)));
  return open_lmdb_reader(home.journal_folder(bus));
}

}  // namespace xundian
