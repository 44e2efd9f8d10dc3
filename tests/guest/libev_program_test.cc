// A libev program with watchers of every kind, and tasks that never rest beside them.
#include <csignal>
#include <functional>
#include <ostream>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include <ev.h>
#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libev.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// How often each kind of watcher was called.
struct Calls {
  int timer = 0;
  int signal = 0;
  int child = 0;
  int idle = 0;
  int io = 0;

  bool operator==(const Calls&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Calls& calls) {
    return out << calls.timer << " timer, " << calls.signal << " signal, " << calls.child
               << " child, " << calls.idle << " idle, " << calls.io << " io";
  }
};

constexpr Calls enough{.timer = 50, .signal = 50, .child = 10, .idle = 100, .io = 100};

/// The watchers of a program.  Each causes its own next event, and stops when it has had enough.
class Program {
 public:
  /// On the default loop: no other hears of children.
  explicit Program(struct ev_loop* host, std::function<void()> at_the_end)
      : host_(host), at_the_end_(std::move(at_the_end)) {
    EXPECT_EQ(0, ::pipe(pipe_));
    start_watchers();
    ::raise(SIGUSR1);
    start_child();
    write_byte();
  }
  ~Program() {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const Calls& calls() const { return calls_; }

 private:
  void start_watchers() {
    ev_timer_init(&timer_, on_timer, 0.001, 0.001);
    ev_signal_init(&signal_, on_signal, SIGUSR1);
    ev_idle_init(&idle_, on_idle);
    ev_io_init(&io_, on_byte, pipe_[0], EV_READ);
    timer_.data = signal_.data = child_.data = idle_.data = io_.data = this;
    ev_timer_start(host_, &timer_);
    ev_signal_start(host_, &signal_);
    ev_idle_start(host_, &idle_);
    ev_io_start(host_, &io_);
  }

  void start_child() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(calls_.child);
    ev_child_init(&child_, on_child, child, 0);
    ev_child_start(host_, &child_);
  }
  void write_byte() const { EXPECT_EQ(1, ::write(pipe_[1], "x", 1)); }

  void stopped_one() {
    if (calls_ == enough) at_the_end_();
  }

  static void on_timer(struct ev_loop* host, ev_timer* timer, int /*events*/) {
    auto& self = *static_cast<Program*>(timer->data);
    if (++self.calls_.timer < enough.timer) return;
    ev_timer_stop(host, timer);
    self.stopped_one();
  }
  static void on_signal(struct ev_loop* host, ev_signal* signal, int /*events*/) {
    auto& self = *static_cast<Program*>(signal->data);
    if (++self.calls_.signal < enough.signal) {
      ::raise(SIGUSR1);
    } else {
      ev_signal_stop(host, signal);
      self.stopped_one();
    }
  }
  static void on_child(struct ev_loop* host, ev_child* child, int /*events*/) {
    auto& self = *static_cast<Program*>(child->data);
    EXPECT_EQ(self.calls_.child, WEXITSTATUS(child->rstatus));
    ev_child_stop(host, child);
    if (++self.calls_.child < enough.child) {
      self.start_child();
    } else {
      self.stopped_one();
    }
  }
  static void on_idle(struct ev_loop* host, ev_idle* idle, int /*events*/) {
    auto& self = *static_cast<Program*>(idle->data);
    if (++self.calls_.idle < enough.idle) return;
    ev_idle_stop(host, idle);
    self.stopped_one();
  }
  static void on_byte(struct ev_loop* host, ev_io* io, int /*events*/) {
    auto& self = *static_cast<Program*>(io->data);
    char byte = 0;
    EXPECT_EQ(1, ::read(self.pipe_[0], &byte, 1));
    if (++self.calls_.io < enough.io) {
      self.write_byte();
    } else {
      ev_io_stop(host, io);
      self.stopped_one();
    }
  }

  struct ev_loop* host_;
  std::function<void()> at_the_end_;
  Calls calls_;
  int pipe_[2] = {-1, -1};
  ev_timer timer_;
  ev_signal signal_;
  ev_child child_;
  ev_idle idle_;
  ev_io io_;
};

class LibevProgramTest : public testing::Test {
 protected:
  ~LibevProgramTest() override { ev_loop_destroy(host); }

  struct ev_loop* host = ev_default_loop(EVFLAG_AUTO);
};

TEST_F(LibevProgramTest, AloneItGetsEveryCall) {
  Program program{host, [] {}};
  ev_run(host, 0);
  EXPECT_EQ(enough, program.calls());
}

TEST_F(LibevProgramTest, Pitfall6_BesideBusyTasksItGetsEveryCallToo) {
  EventLoop loop{attach(host)};
  Neighbours neighbours{loop};
  Program program{host, [&] { neighbours.stop(); }};
  ev_run(host, 0);
  EXPECT_EQ(enough, program.calls());
  neighbours.expect_progress();
  loop.shutdown();
}

TEST_F(LibevProgramTest, BesideAnIdleGuestItGetsEveryCallAndEnds) {
  EventLoop loop{attach(host)};
  Program program{host, [] {}};
  ev_run(host, 0);
  EXPECT_EQ(enough, program.calls());
  EXPECT_EQ(0u, loop.statistics().turns);
}

// ---- Work that arrives just before the host blocks ----------------------------------------------

/// A watcher of the host that starts a task when the host is about to block.
struct StartsATask {
  StartsATask(struct ev_loop* host, EventLoop& guest) : loop(guest) {
    ev_prepare_init(&prepare, on_prepare);
    prepare.data = this;
    ev_prepare_start(host, &prepare);
  }
  static void on_prepare(struct ev_loop* host, ev_prepare* prepare, int /*events*/) {
    ev_prepare_stop(host, prepare);
    static_cast<StartsATask*>(prepare->data)->loop.create_task([host] { ev_break(host); });
  }

  EventLoop& loop;
  ev_prepare prepare;
};

TEST_F(LibevProgramTest, ATaskStartedByAPrepareWatcherIsNotKeptWaiting) {
  EventLoop loop{attach(host)};
  StartsATask starter{host, loop};
  ev_timer late;
  ev_timer_init(
      &late,
      [](struct ev_loop* late_host, ev_timer*, int) {
        ADD_FAILURE() << "the host went to sleep over it";
        ev_break(late_host);
      },
      60., 0.);
  ev_timer_start(host, &late);
  ev_run(host, 0);
  ev_timer_stop(host, &late);
  loop.shutdown();
}

}  // namespace
}  // namespace asyncio::test
