// Load for an echo server: keeps one request under way on each of N connections and checks every
// byte that comes back.
//
// It is a process of its own and uses plain epoll, not this library: the yardstick must not share
// the faults, or the fame, of what it measures.  One thread.  One line of JSON for each measured
// phase.  Exit status 0: all replies right; 2: wrong bytes, replies missing or connections lost;
// 1: could not run at all.
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "latency_histogram.h"
#include "load_result.h"
#include "message.h"

namespace echo_bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr Seconds kLongestPhase{60};  // for a phase that is bounded by its number of requests
constexpr Seconds kReplyGrace{10};    // how long the last replies may take

// Connections opened before the first of them must have been served: well below any listen backlog.
constexpr std::size_t kConnectBatch = 100;

const char kUsage[] = R"(usage: echo_load --port PORT [options]
  --host ADDRESS      IPv4 address of the server (127.0.0.1)
  --connections N     connections, each with one request under way (1)
  --size BYTES        length of a message, 8 or more (64)
  --warmup SECONDS    unmeasured requests first (0.2)
  --seconds SECONDS   length of the measured phase (2)
  --requests N        end the measured phase after N requests instead
  --hold-idle         open the connections, use each one once, then hold them idle
                      for --seconds or until stdin ends
  --gate              for a driver: print "ready" after the warm-up, then read lines
                      "seconds S" or "requests N" from stdin and measure one phase for
                      each; close the connections at end of input
)";

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::size_t size = 64;
  Seconds warmup{0.2};
  Seconds seconds{2};
  std::uint64_t requests = kNoLimit;
  bool hold_idle = false;
  bool gate = false;
};

/// When a phase stops to send new requests; it ends when the last reply is in.
struct Phase {
  Seconds duration = kLongestPhase;
  std::uint64_t requests = kNoLimit;
};

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct Connection {
  int fd = -1;  // -1 once it is lost
  std::uint32_t number = 0;
  std::uint32_t sequence = 0;
  bool busy = false;  // a request is under way
  bool wants_write = false;
  std::size_t sent = 0;
  std::size_t received = 0;
  Clock::time_point began;
  std::vector<char> message;  // what was sent, hence what must come back
};

class LoadGenerator {
 public:
  explicit LoadGenerator(const Options& options)
      : options_(options),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        connections_(options.connections) {
    if (epoll_ < 0) throw_errno("epoll_create1");
  }
  LoadGenerator(const LoadGenerator&) = delete;
  LoadGenerator& operator=(const LoadGenerator&) = delete;
  ~LoadGenerator() {
    for (const Connection& connection : connections_) {
      if (connection.fd >= 0) ::close(connection.fd);
    }
    ::close(epoll_);
  }

  /// Opens all connections and sends one message over each.  Batch by batch: a connection counts as
  /// open for the client while it still waits in the server's backlog, only its echo proves that
  /// the server has taken it.
  LoadResult connect_all() {
    LoadResult total;
    for (std::size_t first = 0; first < connections_.size(); first += kConnectBatch) {
      const std::size_t last = std::min(first + kConnectBatch, connections_.size());
      for (std::size_t i = first; i < last; ++i) open(i);
      const LoadResult batch = run_phase({.requests = last - first}, first, last);
      total.byte_errors += batch.byte_errors;
      total.unanswered += batch.unanswered;
      total.lost_connections += batch.lost_connections;
      if (!total.is_clean()) break;
    }
    return total;
  }

  LoadResult run_phase(const Phase& phase) { return run_phase(phase, 0, connections_.size()); }

 private:
  LoadResult run_phase(const Phase& phase, std::size_t first, std::size_t last) {
    histogram_ = {};
    result_ = {};
    const Clock::time_point begin = Clock::now();
    stop_at_ = begin + std::chrono::duration_cast<Clock::duration>(phase.duration);
    left_to_send_ = phase.requests;
    const auto give_up_at = stop_at_ + std::chrono::duration_cast<Clock::duration>(kReplyGrace);

    for (std::size_t i = first; i < last; ++i) next_request(connections_[i], Clock::now());
    while (under_way_ > 0 && Clock::now() < give_up_at) wait_and_handle();
    const Seconds elapsed = Clock::now() - begin;

    result_.connections = static_cast<std::uint32_t>(connections_.size());
    result_.size = static_cast<std::uint32_t>(options_.size);
    result_.seconds = elapsed.count();
    result_.requests_per_second = static_cast<double>(result_.requests) / elapsed.count();
    result_.p50_us = histogram_.percentile_us(0.50);
    result_.p99_us = histogram_.percentile_us(0.99);
    result_.p999_us = histogram_.percentile_us(0.999);
    result_.max_us = histogram_.max_us();
    result_.unanswered += under_way_;
    return result_;
  }

  void open(std::size_t index) {
    Connection& connection = connections_[index];
    // Blocking, for connect(), which SO_SNDTIMEO bounds; later calls say MSG_DONTWAIT.
    connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) throw_errno("socket");
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(connection.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    if (::inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr) != 1) {
      throw std::invalid_argument("--host takes an IPv4 address, not '" + options_.host + "'");
    }
    if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      throw_errno("connect");
    }
    connection.number = static_cast<std::uint32_t>(index);
    connection.message.resize(options_.size);
    set_interest(EPOLL_CTL_ADD, connection, EPOLLIN);
  }

  void set_interest(int operation, const Connection& connection, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u32 = connection.number;
    if (::epoll_ctl(epoll_, operation, connection.fd, &event) != 0) throw_errno("epoll_ctl");
  }

  void next_request(Connection& connection, Clock::time_point now) {
    if (connection.fd < 0 || connection.busy || left_to_send_ == 0 || now >= stop_at_) return;
    --left_to_send_;
    ++under_way_;
    connection.busy = true;
    connection.sent = 0;
    connection.received = 0;
    connection.began = now;
    fill_message(connection.message, connection.number, connection.sequence++);
    send_rest(connection);
  }

  void send_rest(Connection& connection) {
    const ssize_t n =
        ::send(connection.fd, connection.message.data() + connection.sent,
               connection.message.size() - connection.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return lose(connection);
    if (n > 0) connection.sent += static_cast<std::size_t>(n);
    const bool wants_write = connection.sent < connection.message.size();
    if (wants_write != connection.wants_write) {  // only for messages larger than a socket buffer
      connection.wants_write = wants_write;
      set_interest(EPOLL_CTL_MOD, connection,
                   wants_write ? EPOLLIN | EPOLLOUT : std::uint32_t{EPOLLIN});
    }
  }

  void wait_and_handle() {
    const int n = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 100);
    if (n < 0 && errno != EINTR) throw_errno("epoll_wait");
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      Connection& connection = connections_[event.data.u32];
      if ((event.events & EPOLLOUT) != 0 && connection.wants_write) send_rest(connection);
      if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0 && connection.fd >= 0) receive(connection);
    }
  }

  void receive(Connection& connection) {
    const ssize_t n = ::recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return lose(connection);
    const auto got = static_cast<std::size_t>(n);

    // What may rightly have come back is what was sent and has not come back yet.
    const std::size_t due = connection.busy ? connection.sent - connection.received : 0;
    const std::size_t compared = std::min(got, due);
    const char* expected = connection.message.data() + connection.received;
    for (std::size_t i = 0; i < compared; ++i) {
      if (buffer_[i] != expected[i]) ++result_.byte_errors;
    }
    result_.byte_errors += got - compared;
    connection.received += compared;
    if (!connection.busy || connection.received < connection.message.size()) return;

    const Clock::time_point now = Clock::now();
    histogram_.record(now - connection.began);
    ++result_.requests;
    --under_way_;
    connection.busy = false;
    next_request(connection, now);
  }

  void lose(Connection& connection) {
    ::close(connection.fd);
    connection.fd = -1;
    ++result_.lost_connections;
    if (connection.busy) {
      connection.busy = false;
      --under_way_;
      ++result_.unanswered;
    }
  }

  const Options& options_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::array<epoll_event, 512> events_{};
  std::array<char, 65536> buffer_{};
  LatencyHistogram histogram_;

  // The state of the phase under way.
  LoadResult result_;
  Clock::time_point stop_at_;
  std::uint64_t left_to_send_ = 0;
  std::uint64_t under_way_ = 0;
};

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

Phase parse_phase(const std::string& line) {
  double seconds = 0;
  unsigned long long requests = 0;
  if (std::sscanf(line.c_str(), "seconds %lf", &seconds) == 1) {
    return {.duration = Seconds(seconds)};
  }
  if (std::sscanf(line.c_str(), "requests %llu", &requests) == 1) return {.requests = requests};
  throw std::invalid_argument("expected \"seconds S\" or \"requests N\" on stdin, got: " + line);
}

/// Waits for `limit`, or less if stdin ends: a driver can hold and release us by a pipe.
void hold(Seconds limit) {
  ::alarm(static_cast<unsigned>(limit.count()) + 10);
  timeval left{};
  left.tv_sec = static_cast<time_t>(limit.count());
  fd_set input;
  FD_ZERO(&input);
  FD_SET(STDIN_FILENO, &input);
  ::select(STDIN_FILENO + 1, &input, nullptr, nullptr, &left);
}

/// True if everything that came back was right.
bool run(const Options& options) {
  LoadGenerator load(options);
  LoadResult result = load.connect_all();
  if (result.is_clean() && options.hold_idle) {
    say("holding " + std::to_string(options.connections) + " idle connections");
    hold(options.seconds);
    return true;
  }
  if (result.is_clean()) result = load.run_phase({.duration = options.warmup});
  if (!result.is_clean()) {
    say(to_json(result));
    return false;
  }
  if (!options.gate) {
    const bool counted = options.requests != kNoLimit;
    result = load.run_phase(
        {.duration = counted ? kLongestPhase : options.seconds, .requests = options.requests});
    say(to_json(result));
    return result.is_clean();
  }
  say("ready");
  for (std::string line; result.is_clean() && std::getline(std::cin, line);) {
    ::alarm(120);  // anew for each phase
    result = load.run_phase(parse_phase(line));
    say(to_json(result));
  }
  return result.is_clean();
}

/// The option's argument, if it is a number within [least, most].
template <class T = std::uint64_t>
T number(const char* option, double least, double most) {
  char* end = nullptr;
  const double value = std::strtod(optarg, &end);
  if (end == optarg || *end != '\0' || !(value >= least) || !(value <= most)) {
    throw std::invalid_argument(std::string(option) + " cannot be '" + optarg + "'");
  }
  return static_cast<T>(value);
}

Options parse_options(int argc, char** argv) {
  static const option kOptions[] = {{"host", required_argument, nullptr, 'a'},
                                    {"port", required_argument, nullptr, 'p'},
                                    {"connections", required_argument, nullptr, 'c'},
                                    {"size", required_argument, nullptr, 'b'},
                                    {"warmup", required_argument, nullptr, 'w'},
                                    {"seconds", required_argument, nullptr, 's'},
                                    {"requests", required_argument, nullptr, 'n'},
                                    {"hold-idle", no_argument, nullptr, 'i'},
                                    {"gate", no_argument, nullptr, 'g'},
                                    {"help", no_argument, nullptr, 'h'},
                                    {nullptr, 0, nullptr, 0}};
  Options options;
  for (int chosen = 0; (chosen = ::getopt_long(argc, argv, "h", kOptions, nullptr)) != -1;) {
    if (chosen == 'a') options.host = optarg;
    if (chosen == 'p') options.port = number<std::uint16_t>("--port", 1, 65535);
    if (chosen == 'c') options.connections = number("--connections", 1, 60000);
    if (chosen == 'b') options.size = number("--size", kSmallestMessage, 1 << 24);
    if (chosen == 'w') options.warmup = Seconds(number<double>("--warmup", 0, 60));
    if (chosen == 's') options.seconds = Seconds(number<double>("--seconds", 0.01, 600));
    if (chosen == 'n') options.requests = number("--requests", 1, 1e12);
    if (chosen == 'i') options.hold_idle = true;
    if (chosen == 'g') options.gate = true;
    if (chosen == 'h') {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (chosen == '?') {
      std::fputs(kUsage, stderr);
      std::exit(1);
    }
  }
  if (options.port == 0 || optind != argc) {
    std::fputs(kUsage, stderr);
    std::exit(1);
  }
  return options;
}

/// More connections than the usual soft limit of 1,024 descriptors need no `ulimit` by hand.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace echo_bench

int main(int argc, char** argv) {
  try {
    const echo_bench::Options options = echo_bench::parse_options(argc, argv);
    echo_bench::allow_many_descriptors();
    // Whatever happens, this process does not outlive its purpose.
    ::alarm(static_cast<unsigned>(options.warmup.count() + options.seconds.count()) + 120);
    return echo_bench::run(options) ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo_load: %s\n", error.what());
    return 1;
  }
}
