// Everything at once: four threads run loops, fork, raise signals, change handlers and cancel one
// another's tasks, and then the process ends, in one way or another.
//
// Each round is a process of its own.  What its threads do is drawn from a seed, which is printed
// for a round that fails.
//   ASYNCIO_STORM_SEED     the seed of the first round; those after it count up from there
//   ASYNCIO_STORM_SECONDS  how long to go on, instead of a few seconds
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

constexpr int threads = 4;
constexpr int deeds = 40;  // of each thread in a round
constexpr std::array signals = {SIGUSR1, SIGUSR2, SIGWINCH};

/// Ends the round: something is wrong.
[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "storm: %s\n", what);
  std::_Exit(99);
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}
  int below(int end) { return std::uniform_int_distribution<int>{0, end - 1}(engine_); }
  bool one_in(int n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

/// What threads know of one another's loops.
class Meeting {
 public:
  void leave(const AnyTask& main, const LoopHandle& loop, int seat) {
    const std::lock_guard lock{mutex_};
    seats_[static_cast<std::size_t>(seat)].emplace(Seat{main, loop});
  }
  void disturb(Chance& chance) {
    std::optional<Seat> seat;
    {
      const std::lock_guard lock{mutex_};
      seat = seats_[static_cast<std::size_t>(chance.below(threads))];
    }
    if (!seat) return;
    try {
      if (chance.one_in(3)) {
        seat->main.cancel("by a storm");
      } else {
        seat->loop.post([seat] { static_cast<void>(seat->loop.closed()); });
      }
    } catch (const ClosedError&) {
    }
  }

 private:
  struct Seat {
    AnyTask main;
    LoopHandle loop;
  };
  std::mutex mutex_;
  std::array<std::optional<Seat>, threads> seats_;
};

// ---- What a loop has to do ----------------------------------------------------------------------

void one_task(Chance& chance) {
  switch (chance.below(7)) {
    case 0:
      return sleep(std::chrono::microseconds{chance.below(500)});
    case 1:
      for (int i = chance.below(20); i > 0; --i) yield();
      return;
    case 2:
      to_thread([] { std::this_thread::yield(); });
      return;
    case 3: {
      const SocketPair pair;
      pair.write(1, "x");
      wait_readable(pair.a());
      static_cast<void>(wait_readable(pair.b(), 100us));
      return;
    }
    case 4:
      throw std::runtime_error("a storm");
    case 5:
      return timeout(50us, [] { sleep(1h); });
    default:
      set_context("key", chance.below(100));
      call_later(std::chrono::microseconds{chance.below(200)}, [] {});
      return yield();
  }
}

void some_tasks(Chance& chance) {
  std::vector<Task<void>> tasks;
  for (int i = chance.below(6); i >= 0; --i) {
    tasks.push_back(create_task([&chance] {
      try {
        one_task(chance);
      } catch (const std::exception&) {
      }
    }));
  }
  if (chance.one_in(3)) tasks.front().cancel();
  if (chance.one_in(4)) return;  // the end of the run takes care of them
  for (const auto& task : tasks) {
    try {
      await(task);
    } catch (const TaskCancelledException&) {
    }
  }
}

template <class F>
void run_and_let_cancel(F&& main) {
  try {
    asyncio::run(std::forward<F>(main));
  } catch (const TaskCancelledException&) {  // by another thread
  }
}

// In a child, where the other threads are not: no more than a program may do there.
[[noreturn]] void live_as_a_child(Chance& chance, int status) {
  ::alarm(60);
  const int way = chance.below(5);
  if (way != 0) run_and_let_cancel([&] { some_tasks(chance); });
  switch (way) {
    case 0:
      ::execlp("sh", "sh", "-c", ("exit " + std::to_string(status)).c_str(), nullptr);
      give_up("no sh");
    case 1:
      run_and_let_cancel([&] { ::_exit(status); });
      give_up("_exit() came back");
    case 2:
      std::exit(status);
    default:
      ::_exit(status);
  }
}

void fork_and_wait(Chance& chance) {
  const int status = chance.below(50);
  const bool killed = chance.one_in(6);
  const pid_t child = ::fork();
  if (child < 0) return;
  if (child == 0) {
    if (killed) {
      ::raise(SIGTERM);
      ::_exit(98);
    }
    live_as_a_child(chance, status);
  }
  int found = 0;
  while (::waitpid(child, &found, 0) < 0) {
    if (errno != EINTR) give_up("waitpid");
  }
  const bool right = killed ? WIFSIGNALED(found) && WTERMSIG(found) == SIGTERM
                            : WIFEXITED(found) && WEXITSTATUS(found) == status;
  if (right) return;
  std::fprintf(stderr, "storm: a child ended with %#x, not with %d\n", static_cast<unsigned>(found),
               status);
  give_up("the wrong status of a child");
}

void handle_signals(Chance& chance) {
  const int signo = signals[static_cast<std::size_t>(chance.below(signals.size()))];
  run_and_let_cancel([&] {
    EventLoop& loop = get_event_loop();
    try {
      const auto first = loop.add_signal_handler(signo, [](int) {});
      ::raise(signo);
      sleep(50us);
      if (chance.one_in(2)) loop.add_signal_handler(signo, [](int) {});
      if (chance.one_in(2)) loop.remove_signal_handler(first);
      // The rest go with the loop.
    } catch (const InvalidStateError&) {  // another loop has it
    }
  });
}

// As a program may do at any time: behind the library's back, too.
void change_a_disposition(Chance& chance) {
  struct sigaction action {};
  action.sa_handler = chance.one_in(2) ? SIG_IGN : [](int) {};
  ::sigaction(SIGWINCH, &action, nullptr);
}

void leave_a_loop_with_tasks(Chance& chance) {
  EventLoop loop{make_backend("auto")};
  loop.create_task([&] { some_tasks(chance); });
  loop.call_soon([&] { loop.stop(); });
  loop.call_later(1h, [] {});
  loop.run();
}

void observe(Chance& chance) {
  const auto observer = std::make_shared<CountingObserver>();
  Observable::instance().add_observer(observer);
  run_and_let_cancel([&] { some_tasks(chance); });
  Observable::instance().remove_observer(observer);
}

void one_deed(Chance& chance, Meeting& meeting, int seat) {
  switch (chance.below(9)) {
    case 0:
      return fork_and_wait(chance);
    case 1:
      return run_and_let_cancel([&] { fork_and_wait(chance); });
    case 2:
      return handle_signals(chance);
    case 3:
      return change_a_disposition(chance);
    case 4:
      return leave_a_loop_with_tasks(chance);
    case 5:
      return observe(chance);
    case 6:
      return meeting.disturb(chance);
    case 7:
      ::kill(::getpid(), signals[static_cast<std::size_t>(chance.below(signals.size()))]);
      return;
    default:
      return run_and_let_cancel([&] {
        meeting.leave(current_task(), get_event_loop().handle(), seat);
        some_tasks(chance);
      });
  }
}

// ---- A round ------------------------------------------------------------------------------------

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator open{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

/// The ways in which the process of a round ends.
[[noreturn]] void end_process(Chance& chance, int status) {
#if defined(__SANITIZE_ADDRESS__)
  if (__lsan_do_recoverable_leak_check() != 0) give_up("leaks");
  __lsan_disable();  // exit() unwinds no stack
#endif
  switch (chance.below(4)) {
    case 0:
      run_and_let_cancel([&] {
        create_task([] { sleep(1h); });
        yield();
        std::exit(status);
      });
      give_up("exit() came back");
    case 1: {
      static EventLoop loop{make_backend("auto")};
      loop.call_later(1h, [] {});
      loop.run([] { yield(); });
      std::exit(status);
    }
    case 2:
      ::_exit(status);
    default:
      std::exit(status);
  }
}

[[noreturn]] void live_through_a_round(std::uint64_t seed, int status) {
  ::alarm(120);
  for (const int signo : signals) ::signal(signo, [](int) {});
  const std::size_t before = open_descriptors();
  {
    Meeting meeting;
    std::vector<std::thread> all;
    for (int seat = 0; seat < threads; ++seat) {
      all.emplace_back([&meeting, seed, seat] {
        Chance chance{seed * threads + static_cast<std::uint64_t>(seat)};
        for (int i = 0; i < deeds; ++i) {
          try {
            one_deed(chance, meeting, seat);
          } catch (const std::exception& error) {
            give_up(error.what());
          }
        }
      });
    }
    for (std::thread& thread : all) thread.join();
  }
  if (open_descriptors() != before) give_up("descriptors were left open");
  struct sigaction left {};
  ::sigaction(SIGUSR1, nullptr, &left);
  if (left.sa_handler == SIG_DFL || left.sa_handler == SIG_IGN) give_up("lost a disposition");
  Chance chance{~seed};
  end_process(chance, status);
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(StormTest, L22_L25_S47_NoHangNoLeakNoWrongStatus) {
  std::uint64_t seed = number_from("ASYNCIO_STORM_SEED", std::random_device{}());
  const auto length =
      std::chrono::seconds{number_from("ASYNCIO_STORM_SECONDS", watched() ? 10 : 4)};
  const auto end = Clock::now() + length;
  int rounds = 0;
  do {
    ++rounds;
    const int status = static_cast<int>(seed % 50);
    const pid_t round = ::fork();
    if (round == 0) live_through_a_round(seed, status);
    int found = 0;
    ASSERT_EQ(round, ::waitpid(round, &found, 0));
    ASSERT_FALSE(WIFSIGNALED(found))
        << (WTERMSIG(found) == SIGALRM ? "hung" : "died of signal ") << WTERMSIG(found)
        << "; once more: ASYNCIO_STORM_SEED=" << seed;
    ASSERT_EQ(status, WEXITSTATUS(found)) << "once more: ASYNCIO_STORM_SEED=" << seed;
    ++seed;
  } while (Clock::now() < end);
  std::printf("%d rounds, the last with seed %llu\n", rounds,
              static_cast<unsigned long long>(seed - 1));  // NOLINT(google-runtime-int)
}

}  // namespace
}  // namespace asyncio::test
