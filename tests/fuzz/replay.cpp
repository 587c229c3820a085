// Runs a target without a fuzzer: over every file of the named folders, and over each of them changed a number of times, always
// in the same ways. The input that a target does not survive is kept where it was run.
//   fuzz_TARGET [--changes N] FOLDER…
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "common/hash.h"
#include "tests/fuzz/fuzz.h"

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr int seconds_an_input_max = 20;
constexpr size_t bytes_max = 1u << 20;

std::string current;  // What the target is given now.
char kept_path[256];

// Called where nothing can be trusted any more: system calls alone.
void keep_current() {
  const int file = open(kept_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  const bool whole = write(file, current.data(), current.size()) == static_cast<ssize_t>(current.size());
  close(file);
  const char* words =
      whole ? "the target did not survive; the input is kept in " : "the target did not survive; kept in part in ";
  for (const char* text : {words, const_cast<const char*>(kept_path), "\n"})
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

void on_signal(int number) {
  keep_current();
  std::raise(number);  // As it would have ended without us.
}

void run(std::string input) {
  current = std::move(input);
  itimerval patience{};
  patience.it_value.tv_sec = seconds_an_input_max;
  setitimer(ITIMER_VIRTUAL, &patience, nullptr);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
}

// A few changes of the kinds that find things: bits, odd numbers, pieces lost, doubled, moved, or taken from another input.
std::string changed(std::string input, const std::vector<std::string>& others, std::mt19937_64& dice) {
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(dice() % limit); };
  for (size_t left = 1 + below(4); left > 0; --left) {
    const size_t at = below(input.size() + 1), length = std::min(input.size() - at, size_t{1} << below(8));
    switch (below(8)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << below(8));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(dice());
        break;
      case 2: {
        static constexpr int64_t odd[] = {0, 1, -1, 127, 128, 255, 65'535, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
        const int64_t number = odd[below(std::size(odd))];
        const size_t width = std::min(input.size() - at, size_t{1} << below(4));
        std::memcpy(input.data() + at, &number, width);
        break;
      }
      case 3:
        input.erase(at, length);
        break;
      case 4:
        input.insert(at, input.substr(below(input.size() + 1), length));
        break;
      case 5:
        input.insert(at, 1 + below(64), static_cast<char>(dice()));
        break;
      case 6: {
        const std::string& other = others[below(others.size())];
        input.insert(at, other.substr(below(other.size() + 1), size_t{1} << below(10)));
        break;
      }
      default: {
        static constexpr const char* words[] = {
            "9223372036854775807", "-9223372036854775808", "1e308", "\"", "\n", ",", "[[", "\xff\xfe", "\\u0000", "{", "&lt;",
            "1970-01-01",          "\xef\xbb\xbf"};
        input.insert(at, words[below(std::size(words))]);
        break;
      }
    }
  }
  if (input.size() > bytes_max) input.resize(bytes_max);
  return input;
}

std::vector<std::string> read_folders(const std::vector<std::string>& folders) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& folder : folders) {
    if (!std::filesystem::is_directory(folder)) continue;  // A target that nothing broke yet has none.
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) { return a.filename() < b.filename(); });
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  size_t changes = 0;
  std::vector<std::string> folders;
  for (int index = 1; index < argc; ++index) {
    if (std::string_view(argv[index]) == "--changes" && index + 1 < argc)
      changes = static_cast<size_t>(std::strtoull(argv[++index], nullptr, 10));
    else
      folders.emplace_back(argv[index]);
  }
  std::snprintf(kept_path, sizeof kept_path, "crash-%s", std::filesystem::path(argv[0]).filename().c_str());
  if (&__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_current);
  static char stack[64 << 10];  // Of its own, for a target that has used up the other one.
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof stack;
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL, SIGVTALRM}) sigaction(number, &action, nullptr);
  const std::vector<std::string> inputs = read_folders(folders);
  if (inputs.empty()) {
    std::fprintf(stderr, "no input in any folder\n");
    return 1;
  }
  run({});
  size_t runs = 1;
  for (const std::string& input : inputs) {
    run(input);
    std::mt19937_64 dice(xundian::hash64(input));
    for (size_t change = 0; change < changes; ++change) run(changed(input, inputs, dice));
    runs += 1 + changes;
  }
  std::printf("%zu inputs, %zu runs\n", inputs.size(), runs);
  return 0;
}
