// The descriptors that tasks wait on: who waits, what is registered with the backend, and whether
// the registration still stands.
//
// A registration outlives the wait, so that a task which waits again costs no system call.  The
// price is that a descriptor may be closed, and its number reused, without notice; core/DESIGN.md,
// "Descriptors", says which checks pay it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/stat.h>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/internal/reactor/backend.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/core/lowlevel/waiter.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

using lowlevel::Direction;

constexpr Interest interest_of(Direction direction) noexcept {
  return direction == Direction::read ? Interest::read : Interest::write;
}

class DescriptorTable {
 public:
  explicit DescriptorTable(Backend& backend) noexcept : backend_(backend) {}
  DescriptorTable(const DescriptorTable&) = delete;
  DescriptorTable& operator=(const DescriptorTable&) = delete;

  /// Parks the task until `fd` is ready in `direction`.
  /// Throws: FdError, BusyError, ClosedError (by notify_closing), Cancelled.
  lowlevel::Wake wait(lowlevel::CurrentTask self, int fd, Direction direction,
                      const TimePoint* deadline, const char* call);
  /// As wait(), for the owner of `fd`: the number has stood for the same file since take_over(), so
  /// a registration that is there is good.
  lowlevel::Wake wait_as_owner(lowlevel::CurrentTask self, int fd, Direction direction,
                               const TimePoint* deadline, const char* call);
  /// Somebody becomes the owner of `fd`: drops what is left of files that had the number.
  /// Throws: BusyError if a task waits on the descriptor.
  void take_over(int fd, const char* call);
  /// Wakes the waiters of `fd` with ClosedError and forgets the registration.
  void notify_closing(int fd) noexcept;
  /// Tasks that wait.
  std::size_t waiters() const noexcept { return waiters_; }

  // ---- What the backend reports -----------------------------------------------------------------
  void note_ready(int fd, Interest directions) noexcept;
  void note_dead(int fd) noexcept;
  /// Wakes the tasks that the reports are for.
  void wake_reported() noexcept;
  /// Deals with reports that were for nobody.
  void drop_unclaimed() noexcept;

  // ---- The kernel object ------------------------------------------------------------------------
  /// Makes the backend replace it, to get rid of registrations that no number names any more.
  void rebuild() noexcept;
  /// Takes note that it has been made anew.
  void note_rebuild() noexcept { ++rebuilds_; }
  /// To be called when something else waits in the backend's place: registers everything there.
  void register_anew() noexcept;
  /// For a guest in which nobody waits: registrations kept for the next wait must not keep the
  /// host's loop alive.
  void unregister_all() noexcept;

  // ---- Registrations that were trusted ----------------------------------------------------------
  /// To be called before the backend waits: checks what is due for a check.
  /// Returns when the wait must end to check the rest; TimePoint::max() if there is none.
  TimePoint check_before_wait(TimePoint now) noexcept;
  /// The same for a guest, which makes no long wait.  Returns when to come back.
  TimePoint check_before_rest() noexcept;
  /// Checks every wait that trusted an old registration.  Returns false if there are none.
  bool verify_waits() noexcept;

 private:
  struct FdWaiter;

  struct alignas(64) Entry {
    bool is_of(const struct stat& file) const noexcept {
      return device == file.st_dev && inode == file.st_ino;
    }
    /// The directions in which tasks wait.
    Interest waited_for() const noexcept {
      return (waiter[0] != nullptr ? Interest::read : Interest::none) |
             (waiter[1] != nullptr ? Interest::write : Interest::none);
    }
    FdWaiter* waiter[2] = {nullptr, nullptr};
    std::uint64_t last_task[2] = {0, 0};  ///< who waited last; another task means a fresh look
    dev_t device = 0;                     ///< with inode: which file the number stood for
    ino_t inode = 0;
    Interest registered = Interest::none;
    std::uint8_t unclaimed = 0;    ///< times it was ready and nobody waited
    bool unverified = false;       ///< in unverified_
    std::uint32_t trusted_in = 0;  ///< the sweep before which the unverified wait began
    std::uint32_t told_in = 0;     ///< rebuilds_ when the backend took it; 0: it did not
  };
  struct Report {
    int fd;
    Interest directions;
  };

  bool has(int fd) const noexcept {
    return fd >= 0 && static_cast<std::size_t>(fd) < entries_.size();
  }
  Entry& entry_of(int fd) noexcept { return entries_[static_cast<std::size_t>(fd)]; }
  const Entry& entry_of(int fd) const noexcept { return entries_[static_cast<std::size_t>(fd)]; }

  /// Makes room for an entry.
  Entry& make_entry_of(int fd);
  /// Does a task wait on it whose descriptor it is?
  static bool is_owner_waiting(const Entry& entry) noexcept;
  [[noreturn]] void throw_busy(int fd, const lowlevel::Waiter& waiter, const char* call) const;

  /// May the task wait once more without a fresh look at the descriptor?
  bool is_trusted(const TaskControl& self, int fd, Direction direction) const noexcept;
  /// Lets a wait rely on the existing registration, which is checked later.
  void trust(int fd);
  /// Makes sure that the backend watches.  Returns false if the descriptor is always ready.
  [[gnu::noinline]] bool prepare_wait(const TaskControl& self, int fd, Direction direction,
                                      const char* call);
  /// Looks at what the number stands for now, and registers it if need be.
  bool look_afresh(const TaskControl& self, int fd, Direction direction, const char* call);
  /// Registers it for what it was registered for `before` and what is `added`.  Returns false if
  /// the descriptor is always ready.
  /// Throws: FdError if the kernel refuses; those who wait already go on waiting then.
  bool register_for(int fd, Interest before, Interest added, const char* call);
  /// After a refusal: registers it for exactly those who wait.
  void keep_watching_for_waiters(int fd);
  /// Parks the task, with the registration in place.
  lowlevel::Wake park(lowlevel::CurrentTask self, FdWaiter& waiter, const TimePoint* deadline,
                      const char* call);
  [[noreturn, gnu::noinline]] static void throw_broken(const TaskControl& self, int fd, int error,
                                                       const char* call);
  void wake_reported(const Report& report) noexcept;
  /// Wakes the tasks that wait on `fd`, because the descriptor is gone.  `error` says why: EBADF if
  /// it was found closed, 0 for notify_closing().
  void break_waits(int fd, int error) noexcept;
  /// The errno for a descriptor that the backend does not watch any more.
  int cause_of_death(int fd) const noexcept;
  void forget(int fd) noexcept;
  void unregister(int fd, Interest directions) noexcept;
  /// As EventLoopInterface::watch(), for a number that has an entry.
  int watch(int fd, Interest wanted) noexcept;
  bool still_stands(const Entry& entry, const struct stat& info) const noexcept;
  bool verify(int fd) noexcept;
  void sweep(TimePoint now) noexcept;

  Backend& backend_;
  std::vector<Entry> entries_;
  std::size_t waiters_ = 0;
  std::vector<Report> reported_;            ///< ready in this wait, nobody woken yet
  std::vector<int> unclaimed_;              ///< ready in this wait without a waiter
  std::vector<int> unverified_;             ///< waited on anew without a system call
  TimePoint next_sweep_{};                  ///< real time
  TimePoint verify_at_ = TimePoint::max();  ///< as a guest: real time
  std::uint32_t sweeps_ = 0;
  std::uint32_t rebuilds_ = 1;  ///< times the kernel object was made
};

}  // namespace asyncio::detail
