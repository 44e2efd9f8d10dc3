#include <asyncio/core/internal/reactor/descriptor_table.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

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

// For an open descriptor that the kernel does not watch.
std::string refusal_text(int error) {
  std::string text = std::string{std::strerror(error)} + "; the kernel refuses to watch it";
  if (error == ENOSPC) {
    text +=
        " (the processes of this user watch as many descriptors as fs.epoll.max_user_watches "
        "allows: raise that, or watch fewer)";
  }
  return text;
}

}  // namespace

struct DescriptorTable::FdWaiter : lowlevel::Waiter {
  FdWaiter(DescriptorTable& watching, int descriptor, Direction which, bool as_owner) noexcept
      : Waiter(reasons[static_cast<int>(which)]),
        table(watching),
        fd(descriptor),
        direction(which),
        of_owner(as_owner) {}

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
  bool of_owner;
  int error = 0;  ///< why the wait is broken: EBADF for a closed descriptor; 0: notify_closing()
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

DescriptorTable::Entry& DescriptorTable::make_entry_of(int fd) {
  if (!has(fd)) {
    entries_.resize(std::max<std::size_t>(static_cast<std::size_t>(fd) + 1, entries_.size() * 2));
  }
  return entry_of(fd);
}

bool DescriptorTable::is_owner_waiting(const Entry& entry) noexcept {
  return std::any_of(std::begin(entry.waiter), std::end(entry.waiter),
                     [](const FdWaiter* waiter) { return waiter != nullptr && waiter->of_owner; });
}

void DescriptorTable::throw_busy(int fd, const lowlevel::Waiter& waiter, const char* call) const {
  throw BusyError(fd_text(call, fd) + ": task '" + waiter.task->display_name() +
                  "' already waits for that; one task at a time may wait on a descriptor in one "
                  "direction");
}

bool DescriptorTable::register_for(int fd, Interest before, Interest added, const char* call) {
  const Interest wanted = before | added;
  const int error = watch(fd, wanted);
  forget(fd);
  if (error == 0) entry_of(fd).registered = wanted;
  if (error == 0 || error == EPERM) return error == 0;
  keep_watching_for_waiters(fd);
  throw FdError(fd_text(call, fd) + ": " + refusal_text(error), error);
}

// A backend that changes a registration by taking it out first has nothing left when that fails.
void DescriptorTable::keep_watching_for_waiters(int fd) {
  Entry& entry = entry_of(fd);
  entry.registered = entry.waited_for();
  if (watch(fd, entry.registered) != 0) trust(fd);  // asked again before each wait
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
  Entry& entry = make_entry_of(fd);
  const int slot = static_cast<int>(direction);
  const bool same_file = entry.is_of(info) || is_owner_waiting(entry);
  if (!same_file) break_waits(fd, EBADF);  // they wait for a file that is gone; this is another one
  if (entry.waiter[slot] != nullptr) throw_busy(fd, *entry.waiter[slot], call);
  const Interest wanted = interest_of(direction);
  if (any(entry.registered & wanted) && still_stands(entry, info)) {
    trust(fd);
  } else if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) {
    return false;
  } else {
    const Interest before = same_file ? entry.registered : Interest::none;
    entry.device = info.st_dev;
    entry.inode = info.st_ino;
    if (!register_for(fd, before, wanted, call)) return false;
  }
  entry.last_task[slot] = self.id;
  return true;
}

void DescriptorTable::throw_broken(const TaskControl& self, int fd, int error, const char* call) {
  const std::string what = fd_text(call, fd) + ": ";
  const std::string meanwhile = " while task '" + self.display_name() + "' waited on it";
  if (error == 0) throw ClosedError(what + "closed" + meanwhile);
  if (error != EBADF) throw FdError(what + refusal_text(error) + meanwhile, error);
  throw FdError(what + std::strerror(EBADF) + "; it was closed" + meanwhile +
                    ": call notify_closing(fd) before close(fd)",
                EBADF);
}

bool DescriptorTable::prepare_wait(const TaskControl& self, int fd, Direction direction,
                                   const char* call) {
  if (!is_trusted(self, fd, direction)) [[unlikely]]
    return look_afresh(self, fd, direction, call);
  trust(fd);
  return true;
}

// Each cache line of a parked stack counts, so these frames hold only what is needed after a wait.
inline Wake DescriptorTable::park(lowlevel::CurrentTask self, FdWaiter& waiter,
                                  const TimePoint* deadline, const char* call) {
  entry_of(waiter.fd).waiter[static_cast<int>(waiter.direction)] = &waiter;
  ++waiters_;
  const Wake outcome =
      deadline == nullptr ? self.suspend(waiter) : self.suspend_until(waiter, *deadline);
  if (outcome == Wake::broken) [[unlikely]]
    throw_broken(self.control(), waiter.fd, waiter.error, call);
  return outcome;
}

Wake DescriptorTable::wait(lowlevel::CurrentTask self, int fd, Direction direction,
                           const TimePoint* deadline, const char* call) {
  if (!prepare_wait(self.control(), fd, direction, call)) [[unlikely]] {
    self.yield();  // what epoll refuses never has to be waited for
    return Wake::completed;
  }
  FdWaiter waiter{*this, fd, direction, false};
  return park(self, waiter, deadline, call);
}

Wake DescriptorTable::wait_as_owner(lowlevel::CurrentTask self, int fd, Direction direction,
                                    const TimePoint* deadline, const char* call) {
  Entry& entry = make_entry_of(fd);
  const int slot = static_cast<int>(direction);
  if (entry.waiter[slot] != nullptr) [[unlikely]]
    throw_busy(fd, *entry.waiter[slot], call);
  const Interest wanted = interest_of(direction);
  if (!any(entry.registered & wanted)) [[unlikely]] {
    entry.last_task[slot] = 0;  // nobody who waits by number may rely on it
    if (!register_for(fd, entry.registered, wanted, call)) {
      self.yield();
      return Wake::completed;
    }
  }
  FdWaiter waiter{*this, fd, direction, true};
  return park(self, waiter, deadline, call);
}

void DescriptorTable::break_waits(int fd, int error) noexcept {
  for (FdWaiter*& waiter : entry_of(fd).waiter) {
    if (waiter == nullptr) continue;
    --waiters_;
    waiter->error = error;
    lowlevel::wake(*std::exchange(waiter, nullptr), Wake::broken);
  }
}

void DescriptorTable::take_over(int fd, const char* call) {
  if (!has(fd)) return;
  Entry& entry = entry_of(fd);
  for (const FdWaiter* waiter : entry.waiter) {
    if (waiter == nullptr) continue;
    struct stat info {};
    const bool same_file = ::fstat(fd, &info) == 0 && entry.is_of(info);
    if (same_file || waiter->of_owner) throw_busy(fd, *waiter, call);
  }
  break_waits(fd, EBADF);
  notify_closing(fd);
}

void DescriptorTable::notify_closing(int fd) noexcept {
  if (!has(fd)) return;
  break_waits(fd, 0);
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
  break_waits(fd, cause_of_death(fd));
  forget(fd);
}

// A backend that hears of a refusal late has lost the errno, so the kernel is asked once more.
int DescriptorTable::cause_of_death(int fd) const noexcept {
  struct stat info {};
  const Entry& entry = entry_of(fd);
  const bool same_file = ::fstat(fd, &info) == 0 && (entry.is_of(info) || is_owner_waiting(entry));
  if (!same_file) return EBADF;
  const int probe = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event nothing{};
  const bool refused = probe < 0 || ::epoll_ctl(probe, EPOLL_CTL_ADD, fd, &nothing) != 0;
  const int error = refused ? errno : EBADF;
  if (probe >= 0) ::close(probe);
  return error;
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
    unregister(fd, entry.registered & ~entry.waited_for());
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
  if (!any(entry.waited_for())) return true;
  struct stat info {};
  const bool open = ::fstat(fd, &info) == 0;
  if (open && still_stands(entry, info)) return true;
  const int error = open ? watch(fd, entry.registered) : EBADF;
  if (error == EBADF || error == EPERM) {
    break_waits(fd, error);
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
