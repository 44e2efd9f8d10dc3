// Children that nobody waits for any more.
#include <cerrno>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <poll.h>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/io/internal/child.h>

namespace asyncio::detail {
namespace {

constexpr const char* name = "reaper";
constexpr int longest_death_ms = 1000;

/// Those that live on while no loop looks after them.
struct LeftBehind {
  std::mutex mutex;
  std::vector<Fd> pidfds;
};
LeftBehind left_behind;

/// A child that somebody has to reap; at the latest this object.
class Leftover {
 public:
  Leftover(Fd pidfd, bool was_killed) noexcept
      : pidfd_(std::move(pidfd)), was_killed_(was_killed) {}
  ~Leftover() {
    if (pidfd_.get() < 0) return;
    if (was_killed_) {
      pollfd died{pidfd_.get(), POLLIN, 0};
      ::poll(&died, 1, longest_death_ms);
    }
    if (has_ended()) return;
    try {
      const std::lock_guard lock{left_behind.mutex};
      left_behind.pidfds.push_back(std::move(pidfd_));
    } catch (...) {
      // No memory to remember it by.
    }
  }
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;

  /// Waits for its end, in a task of the loop.
  void wait() {
    lowlevel::OwnedDescriptor watched{pidfd_.get(), name};
    std::move(pidfd_).release();
    struct Back {
      ~Back() { owner.pidfd_ = Fd{watched.release()}; }
      Leftover& owner;
      lowlevel::OwnedDescriptor& watched;
    };
    const Back back{*this, watched};
    watched.wait(lowlevel::enter(name), lowlevel::Direction::read, name);
  }

 private:
  bool has_ended() noexcept { return reap_child(pidfd_.get()) || errno == ECHILD; }

  Fd pidfd_;
  bool was_killed_;
};

}  // namespace

void reap_later(Fd pidfd, bool was_killed) noexcept {
  try {
    const auto leftover = std::make_shared<Leftover>(std::move(pidfd), was_killed);
    // In a callback, a task is the loop's and not of the scope that happens to be current.
    const lowlevel::LoopRef here{name};
    here.call_soon([leftover] {
      try {
        get_event_loop().create_task([leftover] { leftover->wait(); },
                                     TaskOptions{.name = name, .background = true});
      } catch (const std::exception&) {
        // The loop is ending.
      }
    });
  } catch (...) {
    // Without a loop or without memory, as above, its destructor does what can be done.
  }
}

void reap_left_behind() noexcept {
  const std::lock_guard lock{left_behind.mutex};
  std::erase_if(left_behind.pidfds,
                [](const Fd& pidfd) { return reap_child(pidfd.get()) || errno == ECHILD; });
}

}  // namespace asyncio::detail
