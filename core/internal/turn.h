// The turn of the loop: six steps, and nothing else.  core/DESIGN.md numbers them and names the
// test of each.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/internal/reactor/inbox.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Turn {
 public:
  explicit Turn(const Rooms& rooms) noexcept : rooms_(rooms) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// Makes one turn after the other until `finished()`, which is asked after step 1, until nothing
  /// is left to wait for, or until stop().  Returns true if it was finished.
  /// Throws: BackendError.
  template <class Finished>
  bool drive(Finished finished) {
    return drive([](void* ask) { return (*static_cast<Finished*>(ask))(); }, &finished);
  }

  /// Makes one turn as a guest.  The host has just waited, so the turn begins with a look at the
  /// descriptors; then come deadlines up to `due`, or up to that for which our timer has called the
  /// host, what is ready, and posts.  Past `budget_end` each of them is left to the next turn.
  /// Throws: BackendError.
  void guest_turn(TimePoint due, TimePoint budget_end);
  /// Makes one turn in the same order for whoever steps the loop, who wants what the wait brought
  /// to be done when the call returns.  It waits only if `may_wait` is set and nothing is ready.
  /// Returns false if nothing was ready and nothing ever will be.
  /// Throws: BackendError.
  bool step(bool may_wait);

  /// Sleeps until `until`, a real time, or until something comes.
  /// Throws: BackendError.
  void sleep(TimePoint until);

  /// To be called when a run begins.
  void begin_run() noexcept { last_poll_ = Clock::now(); }

  /// Is something left to do that needs no wait?
  bool has_work() const noexcept;
  /// Could anything but a deadline still bring work, such as a descriptor or another thread?
  bool could_be_woken() const noexcept;
  /// Is nothing left that a run without a main waits for?
  bool only_background_is_left() const noexcept;
  /// Refuses every post that is left, because nobody is going to run it.
  void refuse_posts();

  std::uint64_t count() const noexcept { return turns_; }
  std::uint64_t waits() const noexcept { return waits_; }
  std::uint64_t posts() const noexcept { return posts_taken_; }

 private:
  bool drive(bool (*finished)(void*), void* ask);
  void take_posts(TimePoint budget_end = TimePoint::max());
  void look();
  bool look_is_due(TimePoint now) noexcept;
  bool wait();
  void fire_deadlines(TimePoint due, std::uint64_t limit, TimePoint budget_end = TimePoint::max());
  void fire_what_came_due(std::uint64_t armed_before);
  void run_what_the_wait_brought(std::uint64_t armed_before, TimePoint budget_end);

  const Rooms& rooms_;
  std::uint64_t turns_ = 0;
  std::uint64_t waits_ = 0;
  std::uint64_t posts_taken_ = 0;
  TimePoint last_poll_{};  ///< real time
  Post* posts_ = nullptr;  ///< taken from the inbox, not yet run; oldest first
  Post* posts_tail_ = nullptr;
  /// Of turns that begin with the wait: timers from this one on are not looked at in the next.
  std::uint64_t next_limit_ = 0;
};

}  // namespace asyncio::detail
