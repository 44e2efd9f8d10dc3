// Serves and loads the echo example on every backend and prints one table.
//
// docs/demo.md explains its columns.  Exit status 0: every backend gave every byte back; 1: a byte
// was wrong, or a backend failed; 2: wrong usage; 130: interrupted.
#include <getopt.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/core/backend_registry.h>

#include "../support/processors.h"
#include "child_process.h"
#include "load_result.h"
#include "process_probe.h"
#include "syscall_counter.h"

namespace echo_bench {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kIdleConnections = 1000;
constexpr std::size_t kManyConnections = 9000;  // of --full
constexpr int kRounds = 5;                      // in which a row is measured; odd, for the median
constexpr unsigned long long kTracedRequests = 5000;
constexpr milliseconds kPatience{5000};        // for a start, an end, a connection batch
constexpr milliseconds kPhasePatience{90000};  // beyond all limits the load generator has itself

const char kUsage[] = R"(usage: echo_demo [options]
  --server PATH      the echo server (default: ../../examples/echo_server beside this program)
  --load PATH        the load generator (default: echo_load beside this program)
  --seconds SECONDS  measured time for each row (2)
  --full             9,000 connections, too, on the backends that are made for that
)";

struct Options {
  std::string server;
  std::string load;
  double seconds = 2;
  bool full = false;
};

/// Server on one processor, load generator and everything else on another, if there are two.
struct Placement {
  std::optional<int> server;
  std::optional<int> load;
};

class EchoServer {
 public:
  EchoServer(const Options& options, const Placement& placement, const std::string& backend)
      : process_({options.server, "--port", "0", "--backend", backend}, {.cpu = placement.server}) {
    const std::string line = process_.read_line(kPatience);
    if (std::sscanf(line.c_str(), "listening on 127.0.0.1:%u", &port_) != 1) {
      throw std::runtime_error("the server did not give its port but: " + line);
    }
  }

  pid_t pid() const { return process_.pid(); }
  std::string port() const { return std::to_string(port_); }

  /// Descriptors it has more than `before`, once it has had time to close what the load left.
  long descriptors_left_open(long before) const {
    for (int attempt = 0; attempt < 200 && open_descriptors(pid()) > before; ++attempt) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    return open_descriptors(pid()) - before;
  }

  /// Asks it to end, as a service manager would.  Throws unless it ends well and reports.
  void stop() {
    process_.signal(SIGTERM);
    const std::string line = process_.read_line(kPatience);
    const int status = process_.wait(kPatience);
    if (!line.starts_with("served ") || status != 0) {
      throw std::runtime_error("the server ended with status " + std::to_string(status) + ": " +
                               line);
    }
  }

 private:
  ChildProcess process_;
  unsigned port_ = 0;
};

ChildProcess start_load(const Options& options, const Placement& placement,
                        const EchoServer& server, std::size_t connections, const char* mode) {
  return ChildProcess({options.load, "--port", server.port(), "--connections",
                       std::to_string(connections), "--warmup", "0.3", mode},
                      {.cpu = placement.load});
}

/// Lets a load generator in --gate mode measure one phase.
LoadResult measure(ChildProcess& load, const std::string& phase) {
  load.write_line(phase);
  const std::string line = load.read_line(kPhasePatience);
  if (const auto result = parse_load_result(line)) return *result;
  throw std::runtime_error("the load generator gave no result but: " + line);
}

void add_errors(LoadResult& to, const LoadResult& from) {
  to.byte_errors += from.byte_errors;
  to.unanswered += from.unanswered;
  to.lost_connections += from.lost_connections;
}

std::string describe_errors(const LoadResult& result) {
  return "wrong bytes: " + std::to_string(result.byte_errors) +
         ", requests without a full reply: " + std::to_string(result.unanswered) +
         ", connections lost: " + std::to_string(result.lost_connections);
}

struct Round {
  double requests_per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us_per_request = 0;
};

/// The median and the extremes of one figure over all rounds.  Requires: rounds.
struct Spread {
  Spread(const std::vector<Round>& rounds, double Round::*figure) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back(round.*figure);
    std::sort(values.begin(), values.end());
    least = values.front();
    median = values[values.size() / 2];
    most = values.back();
  }
  double least = 0;
  double median = 0;
  double most = 0;
};

struct Row {
  std::string backend;
  std::size_t connections = 0;
  std::vector<Round> rounds;
  LoadResult errors;  // of all rounds, and of the traced requests
  std::optional<double> syscalls_per_request;
  long descriptors_left = 0;
  std::string failure;

  bool is_good() const { return failure.empty() && errors.is_clean() && descriptors_left <= 0; }
};

/// One server under one load, to be measured round by round.
class Trial {
 public:
  Trial(const Options& options, const Placement& placement, const std::string& backend,
        std::size_t connections)
      : server_(options, placement, backend),
        descriptors_before_(open_descriptors(server_.pid())),
        load_(start_load(options, placement, server_, connections, "--gate")) {
    const std::string greeting = load_.read_line(kPhasePatience);
    if (greeting == "ready") return;
    const auto result = parse_load_result(greeting);
    throw std::runtime_error("before the measurement, " +
                             (result ? describe_errors(*result) : greeting));
  }

  void measure_round(double seconds, Row& row) {
    const double cpu_before = cpu_time_us(server_.pid());
    const LoadResult result = measure(load_, "seconds " + std::to_string(seconds));
    const double cpu = cpu_time_us(server_.pid()) - cpu_before;
    add_errors(row.errors, result);
    row.rounds.push_back({.requests_per_second = result.requests_per_second,
                          .p50_us = result.p50_us,
                          .p99_us = result.p99_us,
                          .cpu_us_per_request = cpu / static_cast<double>(std::max<std::uint64_t>(
                                                          result.requests, 1))});
  }

  /// A phase of its own: tracing slows the server down manyfold.  False if it may not be traced.
  bool count_syscalls(const Placement& placement, Row& row) {
    std::optional<SyscallCounter> counter;
    try {
      counter.emplace(server_.pid(), placement.load);
    } catch (const std::exception&) {
      return false;
    }
    const std::uint64_t requests =
        std::max<std::uint64_t>(kTracedRequests, 2 * std::uint64_t{row.connections});
    const LoadResult traced = measure(load_, "requests " + std::to_string(requests));
    const std::uint64_t calls = counter->stop();
    add_errors(row.errors, traced);
    if (traced.requests > 0) {
      row.syscalls_per_request = static_cast<double>(calls) / static_cast<double>(traced.requests);
    }
    return true;
  }

  /// Ends the load, then the server.  Throws unless both end well.
  void finish(Row& row) {
    load_.close_input();
    const int status = load_.wait(kPatience);
    if (status != 0 && row.errors.is_clean()) {
      throw std::runtime_error("the load generator ended with status " + std::to_string(status));
    }
    row.descriptors_left = server_.descriptors_left_open(descriptors_before_);
    server_.stop();
  }

 private:
  EchoServer server_;
  long descriptors_before_;
  ChildProcess load_;
};

class Demo {
 public:
  explicit Demo(const Options& options) : options_(options) {
    const std::vector<int> cpus = bench::usable_cpus();
    if (cpus.size() >= 2) {
      placement_ = {.server = cpus[0], .load = cpus[1]};
      bench::pin_to_cpu(cpus[1]);
    }
  }

  /// True if all went well.
  bool run() {
    for (const std::size_t connections : {std::size_t{1}, std::size_t{100}, std::size_t{1000}}) {
      measure_rows(connections, asyncio::available_backends());
    }
    if (options_.full) {
      // select looks at every descriptor in every turn: nobody runs it at that size.
      auto backends = asyncio::available_backends();
      std::erase(backends, "select");
      measure_rows(kManyConnections, backends);
    }
    for (const std::string& backend : asyncio::available_backends()) measure_idle_memory(backend);
    print_table();
    return idle_memory_failures_ == 0 &&
           std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.is_good(); });
  }

 private:
  /// Measures all backends side by side, their rounds taking turns: when the machine slows down or
  /// speeds up in between, it does so for every one of them.
  void measure_rows(std::size_t connections, const std::vector<std::string>& backends) {
    struct Entry {
      Row row;
      std::optional<Trial> trial;  // none once it has failed
    };
    std::vector<Entry> entries(backends.size());
    const auto for_each_trial = [&entries](auto&& step) {
      for (Entry& entry : entries) {
        if (!entry.row.failure.empty()) continue;
        try {
          step(entry);
        } catch (const std::exception& error) {
          entry.row.failure = error.what();
          entry.trial.reset();
          std::fprintf(stderr, "\n%s with %zu connections failed: %s\n", entry.row.backend.c_str(),
                       entry.row.connections, error.what());
        }
      }
    };

    std::fprintf(stderr, "%zu connection%s:", connections, connections == 1 ? "" : "s");
    for (std::size_t i = 0; i < backends.size(); ++i) {
      entries[i].row.backend = backends[i];
      entries[i].row.connections = connections;
    }
    for_each_trial([&](Entry& entry) {
      entry.trial.emplace(options_, placement_, entry.row.backend, connections);
    });
    for (int round = 0; round < kRounds; ++round) {
      std::fprintf(stderr, " round %d of %d,", round + 1, kRounds);
      for_each_trial(
          [&](Entry& entry) { entry.trial->measure_round(options_.seconds / kRounds, entry.row); });
    }
    std::fprintf(stderr, " system calls\n");
    for_each_trial([&](Entry& entry) {
      if (can_trace_ && entry.row.errors.is_clean()) {
        can_trace_ = entry.trial->count_syscalls(placement_, entry.row);
      }
    });
    for_each_trial([](Entry& entry) { entry.trial->finish(entry.row); });
    for (const Entry& entry : entries) rows_.push_back(entry.row);
  }

  void measure_idle_memory(const std::string& backend) {
    std::fprintf(stderr, "%zu idle connections: %s\n", kIdleConnections, backend.c_str());
    try {
      EchoServer server(options_, placement_, backend);
      const double before = resident_kb(server.pid());
      ChildProcess load = start_load(options_, placement_, server, kIdleConnections, "--hold-idle");
      const std::string line = load.read_line(kPhasePatience);
      if (!line.starts_with("holding ")) throw std::runtime_error(line);
      const double each =
          (resident_kb(server.pid()) - before) / static_cast<double>(kIdleConnections);
      load.close_input();
      load.wait(kPatience);
      server.stop();
      char text[64];
      std::snprintf(text, sizeof(text), "%s%s %.1f kB", idle_memory_.empty() ? "" : ", ",
                    backend.c_str(), each);
      idle_memory_ += text;
    } catch (const std::exception& error) {
      ++idle_memory_failures_;
      idle_memory_ += (idle_memory_.empty() ? "" : ", ") + backend + " failed: " + error.what();
    }
  }

  void print_table() const {
    utsname system{};
    ::uname(&system);
    std::puts("Echo of 64-byte messages over loopback, one request under way on each connection.");
    std::printf("Linux %s, one server thread", system.release);
    if (placement_.server) {
      std::printf(" on processor %d, load generator on processor %d", *placement_.server,
                  *placement_.load);
    }
    std::printf(".\nMedians of %d rounds; for the server's CPU also the least and the most.\n\n",
                kRounds);
    std::printf("%-8s %11s %11s %9s %9s %20s %13s %7s %9s\n", "", "", "", "", "", "server CPU",
                "system calls", "byte", "fds left");
    std::printf("%-8s %11s %11s %9s %9s %20s %13s %7s %9s\n", "backend", "connections",
                "requests/s", "p50 us", "p99 us", "us/request", "per request", "errors", "open");
    for (const std::string& backend : asyncio::available_backends()) {
      for (const Row& row : rows_) {
        if (row.backend == backend) print_row(row);
      }
    }
    std::printf("\nServer memory per idle connection (%zu connections): %s\n", kIdleConnections,
                idle_memory_.c_str());
    if (!can_trace_) std::puts("System calls were not counted: no strace, or it may not attach.");
  }

  static void print_row(const Row& row) {
    if (!row.failure.empty()) {
      std::printf("%-8s %11zu  failed: %s\n", row.backend.c_str(), row.connections,
                  row.failure.c_str());
      return;
    }
    char syscalls[32] = "-";
    if (row.syscalls_per_request) {
      std::snprintf(syscalls, sizeof(syscalls), "%.2f", *row.syscalls_per_request);
    }
    const Spread cpu{row.rounds, &Round::cpu_us_per_request};
    char cpu_text[48];
    std::snprintf(cpu_text, sizeof(cpu_text), "%.2f (%.2f-%.2f)", cpu.median, cpu.least, cpu.most);
    std::printf("%-8s %11zu %11.0f %9.0f %9.0f %20s %13s %7llu %9ld\n", row.backend.c_str(),
                row.connections, Spread{row.rounds, &Round::requests_per_second}.median,
                Spread{row.rounds, &Round::p50_us}.median,
                Spread{row.rounds, &Round::p99_us}.median, cpu_text, syscalls,
                static_cast<unsigned long long>(row.errors.byte_errors), row.descriptors_left);
    if (!row.errors.is_clean()) {
      std::printf("%-8s %11s  failed: %s\n", "", "", describe_errors(row.errors).c_str());
    }
  }

  const Options options_;
  Placement placement_;
  bool can_trace_ = true;
  std::vector<Row> rows_;
  std::string idle_memory_;
  int idle_memory_failures_ = 0;
};

Options parse_options(int argc, char** argv) {
  static const option kOptions[] = {
      {"server", required_argument, nullptr, 's'},  {"load", required_argument, nullptr, 'l'},
      {"seconds", required_argument, nullptr, 't'}, {"full", no_argument, nullptr, 'f'},
      {"help", no_argument, nullptr, 'h'},          {nullptr, 0, nullptr, 0}};
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  Options options;
  options.server = here / "../../examples/echo_server";
  options.load = here / "echo_load";
  for (int chosen = 0; (chosen = ::getopt_long(argc, argv, "h", kOptions, nullptr)) != -1;) {
    if (chosen == 's') options.server = optarg;
    if (chosen == 'l') options.load = optarg;
    if (chosen == 't') options.seconds = std::strtod(optarg, nullptr);
    if (chosen == 'f') options.full = true;
    if (chosen == 'h') {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (chosen == '?') {
      std::fputs(kUsage, stderr);
      std::exit(2);
    }
  }
  const bool possible = options.seconds >= 0.1 && options.seconds <= 60;
  if (!possible || optind != argc) {
    std::fputs(kUsage, stderr);
    std::exit(2);
  }
  for (const std::string& program : {options.server, options.load}) {
    if (::access(program.c_str(), X_OK) != 0) {
      std::fprintf(stderr, "echo_demo: no program at %s; name it with --server or --load\n",
                   program.c_str());
      std::exit(2);
    }
  }
  return options;
}

/// A thousand connections take more than the usual soft limit of 1,024 descriptors leaves; children
/// inherit the limit.
void allow_many_descriptors(Options& options) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (options.full && limit.rlim_max < kManyConnections + 100) {
    std::fprintf(stderr, "skipping %zu connections: the limit is %llu open descriptors\n",
                 kManyConnections, static_cast<unsigned long long>(limit.rlim_max));
    options.full = false;
  }
}

}  // namespace
}  // namespace echo_bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that has gone is an error of write(), not our end
  for (const int signal_number : {SIGINT, SIGTERM}) {
    std::signal(signal_number, [](int) { echo_bench::interrupted = 1; });
  }
  try {
    echo_bench::Options options = echo_bench::parse_options(argc, argv);
    echo_bench::allow_many_descriptors(options);
    return echo_bench::Demo(options).run() ? 0 : 1;
  } catch (const echo_bench::Interrupted&) {
    return 130;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo_demo: %s\n", error.what());
    return 1;
  }
}
