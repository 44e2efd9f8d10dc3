#include <asyncio/io/passed_sockets.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <asyncio/core/errors.h>

namespace asyncio {
namespace {

constexpr const char* take_call = "take_passed_sockets";
constexpr int first_fd = 3;
constexpr int most_fds = 1 << 20;

/// The value of a variable, which is taken out of the environment.
std::optional<std::string> take_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string text{value};
  ::unsetenv(name);
  return text;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes the first of several names with colons between them.
std::string take_name(std::string_view& names) {
  const std::size_t end = names.find(':');
  const std::string name{names.substr(0, end)};
  names.remove_prefix(end == names.npos ? names.size() : end + 1);
  return name.empty() ? "unknown" : name;
}

}  // namespace

std::vector<PassedSocket> take_passed_sockets() {
  const std::optional<std::string> pid = take_variable("LISTEN_PID");
  const std::optional<std::string> count_text = take_variable("LISTEN_FDS");
  const std::string all_names = take_variable("LISTEN_FDNAMES").value_or("");
  // For somebody else: it was inherited along with the rest of the environment.
  if (!pid || !count_text || number(*pid) != ::getpid()) return {};
  const std::optional<int> count = number(*count_text);
  if (!count || *count < 0 || *count > most_fds) {
    throw InvalidStateError(std::string{take_call} + ": LISTEN_FDS is \"" + *count_text +
                            "\", where a number of descriptors belongs");
  }
  for (int fd = first_fd; fd < first_fd + *count; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    throw InvalidStateError(std::string{take_call} + ": LISTEN_FDS is " + *count_text +
                            ", and descriptor " + std::to_string(fd) +
                            " is not open; call it before anything else closes descriptors");
  }
  std::vector<PassedSocket> sockets;
  sockets.reserve(static_cast<std::size_t>(*count));
  std::string_view names = all_names;
  for (int fd = first_fd; fd < first_fd + *count; ++fd) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets.push_back({take_name(names), Fd{fd}});
  }
  return sockets;
}

}  // namespace asyncio
