#include <asyncio/core/internal/reactor/descriptor_table.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

using lowlevel::Wake;

// A registration made without a system call is checked if nothing has happened for this long: long
// enough that a loaded loop never pays, short enough that nobody notices.
constexpr Duration verify_after = std::chrono::milliseconds{1};

// Under load that moment never comes: then waits that last longer than this are checked.
constexpr Duration sweep_every = std::chrono::milliseconds{200};

std::string fd_text(const char* call, int fd) {
  return std::string{call} + "(fd " + std::to_string(fd) + ")";
}

}  // namespace

struct DescriptorTable::FdWaiter : lowlevel::Waiter {
  FdWaiter(DescriptorTable& owner, int descriptor, Direction which) noexcept
      : Waiter(reasons[static_cast<int>(which)]), table(owner), fd(descriptor), direction(which) {}

  static bool abort(Waiter& waiter) noexcept {
    auto& self = static_cast<FdWaiter&>(waiter);
    self.table.entry_of(self.fd).waiter[static_cast<int>(self.direction)] = nullptr;
    --self.table.waiters_;
    return true;
  }
  static std::string describe(const Waiter& waiter) {
    return "fd " + std::to_string(static_cast<const FdWaiter&>(waiter).fd) + " " +
           waiter.reason->what;
  }
  static constexpr lowlevel::WaitReason reasons[] = {{"readable", &abort, &describe},
                                                     {"writable", &abort, &describe}};

  DescriptorTable& table;
  int fd;
  Direction direction;
  bool dead = false;  ///< broken because the descriptor was found closed, not by notify_closing
};

// ---- Waiting ------------------------------------------------------------------------------------

inline bool DescriptorTable::is_trusted(const TaskControl& self, int fd,
                                        Direction direction) const noexcept {
  if (!has(fd)) return false;
  const Entry& entry = entry_of(fd);
  const int slot = static_cast<int>(direction);
  return any(entry.registered & interest_of(direction)) && entry.last_task[slot] == self.id &&
         entry.waiter[slot] == nullptr;
}

inline void DescriptorTable::trust(int fd) {
  Entry& entry = entry_of(fd);
  entry.trusted_in = sweeps_;
  if (entry.unverified) return;
  unverified_.push_back(fd);
  entry.unverified = true;
}

bool DescriptorTable::look_afresh(const TaskControl& self, int fd, Direction direction,
                                  const char* call) {
  struct stat info {};
  // For a descriptor that only names a path, one mechanism reports EBADF, another reports it ready,
  // and libev ends the process.
  const int flags = ::fcntl(fd, F_GETFL);
  const bool only_a_path = flags >= 0 && (flags & O_PATH) != 0;
  if (flags < 0 || only_a_path || ::fstat(fd, &info) != 0) {
    const int error = only_a_path ? EBADF : errno;
    throw FdError(fd_text(call, fd) + ": " + std::strerror(error) +
                      "; wait on a descriptor that is open, and call notify_closing(fd) before "
                      "closing one that may be waited on",
                  error);
  }
  if (!has(fd)) {
    entries_.resize(std::max<std::size_t>(static_cast<std::size_t>(fd) + 1, entries_.size() * 2));
  }
  Entry& entry = entry_of(fd);
  const int slot = static_cast<int>(direction);
  const bool same_file = entry.is_of(info);
  if (!same_file) break_waits(fd, true);  // they wait for a file that is gone; this is another one
  if (entry.waiter[slot] != nullptr) {
    throw BusyError(fd_text(call, fd) + ": task '" + entry.waiter[slot]->task->display_name() +
                    "' already waits for that; one task at a time may wait on a descriptor in "
                    "one direction");
  }
  const Interest wanted = interest_of(direction);
  if (any(entry.registered & wanted) && still_stands(entry, info)) {
    trust(fd);
  } else if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) {
    return false;
  } else {
    const Interest before = same_file ? entry.registered : Interest::none;
    const int error = watch(fd, before | wanted);
    if (error != 0 && error != EPERM) {
      backend_.watch(fd, Interest::none);
      forget(fd);
      throw FdError(fd_text(call, fd) + ": " + std::strerror(error), error);
    }
    entry.registered = error == 0 ? before | wanted : Interest::none;
    entry.unclaimed = 0;
    entry.device = info.st_dev;
    entry.inode = info.st_ino;
    if (error != 0) return false;
  }
  entry.last_task[slot] = self.id;
  return true;
}

void DescriptorTable::throw_broken(const TaskControl& self, int fd, bool dead, const char* call) {
  if (dead) {
    throw FdError(fd_text(call, fd) + ": " + std::strerror(EBADF) + "; it was closed while task '" +
                      self.display_name() +
                      "' waited on it: call notify_closing(fd) before close(fd)",
                  EBADF);
  }
  throw ClosedError(fd_text(call, fd) + ": closed by notify_closing while task '" +
                    self.display_name() + "' waited on it");
}

bool DescriptorTable::prepare_wait(const TaskControl& self, int fd, Direction direction,
                                   const char* call) {
  if (!is_trusted(self, fd, direction)) [[unlikely]]
    return look_afresh(self, fd, direction, call);
  trust(fd);
  return true;
}

// Each cache line of a parked stack counts, so this frame holds only what it needs after the wait.
Wake DescriptorTable::wait(lowlevel::CurrentTask self, int fd, Direction direction,
                           const TimePoint* deadline, const char* call) {
  if (!prepare_wait(self.control(), fd, direction, call)) [[unlikely]] {
    self.yield();  // what epoll refuses never has to be waited for
    return Wake::completed;
  }
  FdWaiter waiter{*this, fd, direction};
  entry_of(fd).waiter[static_cast<int>(direction)] = &waiter;
  ++waiters_;
  const Wake outcome =
      deadline == nullptr ? self.suspend(waiter) : self.suspend_until(waiter, *deadline);
  if (outcome == Wake::broken) [[unlikely]]
    throw_broken(self.control(), fd, waiter.dead, call);
  return outcome;
}

void DescriptorTable::break_waits(int fd, bool dead) noexcept {
  for (FdWaiter*& waiter : entry_of(fd).waiter) {
    if (waiter == nullptr) continue;
    --waiters_;
    waiter->dead = dead;
    lowlevel::wake(*std::exchange(waiter, nullptr), Wake::broken);
  }
}

void DescriptorTable::notify_closing(int fd) {
  if (!has(fd)) return;
  break_waits(fd, false);
  Entry& entry = entry_of(fd);
  if (any(entry.registered)) backend_.watch(fd, Interest::none);
  forget(fd);
  entry.device = 0;
  entry.inode = 0;
}

// ---- Reports ------------------------------------------------------------------------------------

void DescriptorTable::note_ready(int fd, Interest directions) noexcept {
  if (!has(fd)) return;
  __builtin_prefetch(&entry_of(fd), 1);
  reported_.push_back({fd, directions});
}

void DescriptorTable::note_dead(int fd) noexcept {
  if (!has(fd)) return;
  break_waits(fd, true);
  forget(fd);
}

// From a report to the task there are three steps through memory, which is in no cache if tasks are
// many: the entry, the waiter on its task's stack, the control block.  So all reports are noted
// first, which fetches the entries, and the other steps are fetched some reports ahead.
void DescriptorTable::wake_reported() noexcept {
  const std::size_t count = reported_.size();
  const std::size_t ahead = std::min<std::size_t>(8, count / 2);
  for (std::size_t i = 0; i < count + 2 * ahead; ++i) {
    if (i < count) {
      for (const FdWaiter* waiter : entry_of(reported_[i].fd).waiter) __builtin_prefetch(waiter, 1);
    }
    if (i >= ahead && i - ahead < count) {
      for (const FdWaiter* waiter : entry_of(reported_[i - ahead].fd).waiter) {
        if (waiter != nullptr) waiter->task->prefetch();
      }
    }
    if (i >= 2 * ahead) wake_reported(reported_[i - 2 * ahead]);
  }
  reported_.clear();
}

void DescriptorTable::wake_reported(const Report& report) noexcept {
  Entry& entry = entry_of(report.fd);
  bool claimed = false;
  for (const Direction direction : {Direction::read, Direction::write}) {
    if (!any(report.directions & interest_of(direction))) continue;
    FdWaiter*& waiter = entry.waiter[static_cast<int>(direction)];
    if (waiter == nullptr) continue;
    claimed = true;
    --waiters_;
    lowlevel::wake(*std::exchange(waiter, nullptr));
  }
  if (claimed) {
    entry.unclaimed = 0;
  } else {
    unclaimed_.push_back(report.fd);
  }
}

// A ready registration that nobody waits on is kept for one more turn, because the task is probably
// about to wait again.  Then it is dropped, because it would make every wait return at once.
void DescriptorTable::drop_unclaimed() noexcept {
  for (const int fd : unclaimed_) {
    Entry& entry = entry_of(fd);
    if (!any(entry.registered)) continue;
    if (++entry.unclaimed < 2) continue;
    entry.unclaimed = 0;
    Interest keep = Interest::none;
    for (const Direction direction : {Direction::read, Direction::write}) {
      if (entry.waiter[static_cast<int>(direction)] != nullptr) {
        keep = keep | interest_of(direction);
      }
    }
    unregister(fd, entry.registered & ~keep);
  }
  unclaimed_.clear();
}

// ---- Registrations ------------------------------------------------------------------------------

int DescriptorTable::watch(int fd, Interest wanted) noexcept {
  constexpr std::uint32_t never = 0;
  const int error = backend_.watch(fd, wanted);
  entry_of(fd).told_in = error == 0 ? rebuilds_ : never;
  return error;
}

void DescriptorTable::forget(int fd) noexcept {
  Entry& entry = entry_of(fd);
  entry.registered = Interest::none;
  entry.unclaimed = 0;
}

void DescriptorTable::unregister(int fd, Interest directions) noexcept {
  Entry& entry = entry_of(fd);
  entry.registered = entry.registered & ~directions;
  if (watch(fd, entry.registered) != 0) trust(fd);  // for a task that waits in the other direction
  if (::fcntl(fd, F_GETFD) < 0) {
    // Closed without notice, yet still ready: a duplicate keeps the kernel's registration alive,
    // and no system call can name it any more.  A new kernel object does not have it.
    entry.registered = Interest::none;
    backend_.watch(fd, Interest::none);
    rebuild();
  }
}

void DescriptorTable::unregister_all() noexcept {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Interest registered = entries_[i].registered;
    if (any(registered)) unregister(static_cast<int>(i), registered);
  }
}

void DescriptorTable::register_anew() noexcept {
  note_rebuild();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const int fd = static_cast<int>(i);
    if (!any(entries_[i].registered) || watch(fd, entries_[i].registered) == 0) continue;
    trust(fd);  // until it is found closed: a cancel that comes before ends the wait first
  }
}

void DescriptorTable::rebuild() noexcept {
  note_rebuild();
  try {
    backend_.rebuild();
  } catch (const BackendError&) {  // out of descriptors: tried again at the next report
  }
}

// ---- Trust --------------------------------------------------------------------------------------

// Does the kernel still watch it?  Yes if the number stands for the file it was registered for, and
// the kernel object is still the same: one made anew watches what the number stood for at that
// time.  Only for sockets can the inode tell that it is the same file.  Other files may share one,
// such as the ends of a pipe.
bool DescriptorTable::still_stands(const Entry& entry, const struct stat& info) const noexcept {
  return entry.is_of(info) && S_ISSOCK(info.st_mode) && entry.told_in == rebuilds_;
}

// Checks a wait that trusted an old registration: is it still the same file?  Returns false if that
// is not known yet.
bool DescriptorTable::verify(int fd) noexcept {
  Entry& entry = entry_of(fd);
  entry.unverified = false;
  if (entry.waiter[0] == nullptr && entry.waiter[1] == nullptr) return true;
  struct stat info {};
  const bool open = ::fstat(fd, &info) == 0;
  if (open && still_stands(entry, info)) return true;
  const int error = open ? watch(fd, entry.registered) : EBADF;
  if (error == EBADF || error == EPERM) {
    break_waits(fd, true);
    backend_.watch(fd, Interest::none);
    forget(fd);
    return true;
  }
  entry.unverified = error != 0;  // for example, out of memory
  entry.device = info.st_dev;
  entry.inode = info.st_ino;
  return error == 0;
}

bool DescriptorTable::verify_waits() noexcept {
  if (unverified_.empty()) return false;
  std::erase_if(unverified_, [this](int fd) { return verify(fd); });
  return true;
}

void DescriptorTable::sweep(TimePoint now) noexcept {
  next_sweep_ = now + sweep_every;
  std::erase_if(unverified_, [this](int fd) {
    const bool young = entry_of(fd).trusted_in == sweeps_;
    return !young && verify(fd);
  });
  ++sweeps_;
}

TimePoint DescriptorTable::check_before_wait(TimePoint now) noexcept {
  if (now >= verify_at_) {
    verify_at_ = TimePoint::max();
    verify_waits();
  }
  if (unverified_.empty()) return TimePoint::max();
  if (now >= next_sweep_) sweep(now);
  return now + verify_after;
}

TimePoint DescriptorTable::check_before_rest() noexcept {
  if (unverified_.empty()) return TimePoint::max();
  verify_at_ = std::min(verify_at_, Clock::now() + sweep_every);
  return verify_at_;
}

}  // namespace asyncio::detail
