#include <asyncio/core/internal/reactor.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {
namespace {

// A registration made without a system call is checked if nothing has happened for this long: long
// enough that a loaded loop never pays, short enough that nobody notices.
constexpr Duration verify_after = std::chrono::milliseconds{1};

// Under load that moment never comes: then those waits are checked that last longer than this.
constexpr Duration sweep_every = std::chrono::milliseconds{200};

// Waits in a row that end early and report nothing: the kernel object holds a registration that can
// no longer be named (a closed descriptor with a living duplicate), so it is made anew.
constexpr unsigned most_empty_wakeups = 64;

std::string fd_text(const char* call, int fd) {
  return std::string{call} + "(fd " + std::to_string(fd) + ")";
}

struct FdWaiter : Waiter {
  FdWaiter(int descriptor, Direction which) noexcept
      : Waiter(which == Direction::read ? WaitKind::fd_readable : WaitKind::fd_writable,
               reinterpret_cast<const void*>(static_cast<std::intptr_t>(descriptor))),
        fd(descriptor),
        direction(which) {}
  int fd;
  Direction direction;
  bool dead = false;  ///< broken because the descriptor was found closed, not by notify_closing
};

}  // namespace

constinit std::atomic<std::uint64_t> forks{0};

void count_forks() noexcept {
  static const bool counted = [] {
    ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
    return true;
  }();
  static_cast<void>(counted);
}

struct Reactor::CallbackTimer : TimerNode {
  CallbackTimer(Reactor& owner_reactor, std::uint64_t name, Duration every, bool again,
                UniqueFunction<void()> function)
      : TimerNode(&Reactor::fire_callback),
        reactor(owner_reactor),
        id(name),
        interval(every),
        persistent(again),
        callback(std::move(function)) {}
  Reactor& reactor;
  std::uint64_t id;
  Duration interval;
  bool persistent;
  UniqueFunction<void()> callback;
};

Reactor::Reactor(EventLoopInterface& backend)
    : backend_(backend),
      inbox_(&Inbox::open()),
      guest_(backend.driver_ == EventLoopInterface::Driver::host),
      generation_(forks.load(std::memory_order_relaxed)) {
  count_forks();
}

Reactor::~Reactor() {
  inbox_->close();
  if (timerfd_ >= 0) ::close(timerfd_);
}

// Not in the constructor: the backend's half of the object does not exist yet there.
void Reactor::start() {
  if (std::exchange(started_, true)) return;
  if (const int error = backend_.watch(inbox_->wake_fd(), Interest::read); error != 0) {
    throw BackendError("backend '" + backend_.type_ +
                       "' could not watch the loop's wake-up fd: " + std::strerror(error));
  }
  if (backend_.precision_ == EventLoopInterface::Precision::exact) return;
  timerfd_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timerfd_ < 0) {
    throw BackendError("backend '" + backend_.type_ +
                       "' could not make its timerfd: " + std::strerror(errno));
  }
  if (const int error = backend_.watch(timerfd_, Interest::read); error != 0) {
    throw BackendError("backend '" + backend_.type_ +
                       "' could not watch the loop's timerfd: " + std::strerror(error));
  }
}

void Reactor::rest(bool alive, TimePoint until) {
  if (resting_ == alive) {
    resting_ = !alive;
    const Interest wanted = alive ? Interest::read : Interest::none;
    backend_.watch(inbox_->wake_fd(), wanted);
    backend_.watch(timerfd_, wanted);
    if (!alive) {  // then nobody waits, and what is registered was kept for the next wait
      for (std::size_t fd = 0; fd < fds_.size(); ++fd) {
        if (any(fds_[fd].registered)) unregister(static_cast<int>(fd), fds_[fd].registered);
      }
    }
  }
  if (!alive) return;
  if (!unverified_.empty()) {
    verify_at_ = std::min(verify_at_, Clock::now() + sweep_every);
    until = std::min(until, verify_at_);
  }
  if (until != TimePoint::max()) arm_timerfd(until);
}

void Reactor::detach() noexcept {
  guest_ = false;
  rebuilt();
  if (std::exchange(resting_, false)) {
    backend_.watch(inbox_->wake_fd(), Interest::read);
    backend_.watch(timerfd_, Interest::read);
  }
  backend_.detach();
}

// ---- Timers ----------------------------------------------------------------------------------------

TimerId Reactor::add_callback(TimePoint first, Duration interval, bool persistent,
                              UniqueFunction<void()> callback) {
  const std::uint64_t id = next_callback_++;
  auto timer =
      std::make_unique<CallbackTimer>(*this, id, interval, persistent, std::move(callback));
  CallbackTimer& node = *timer;
  callbacks_.emplace(id, std::move(timer));
  timers_.arm(node, first);
  if (guest_ && owner != nullptr) static_cast<Loop*>(owner)->outside_change();
  return TimerId{id};
}

bool Reactor::remove_callback(TimerId id) noexcept {
  const auto found = callbacks_.find(id.value);
  if (found == callbacks_.end()) return false;
  timers_.disarm(*found->second);
  std::erase(held_, static_cast<TimerNode*>(found->second.get()));
  callbacks_.erase(found);
  return true;
}

void Reactor::fire_callback(TimerNode& node) {
  auto& timer = static_cast<CallbackTimer&>(node);
  Reactor& reactor = timer.reactor;
  if (reactor.holding_) {
    reactor.held_.push_back(&node);
    return;
  }
  // The callback may remove its own timer, so what it runs from must not live in the timer.
  UniqueFunction<void()> callback = std::move(timer.callback);
  const std::uint64_t id = timer.id;
  if (!timer.persistent) {
    reactor.callbacks_.erase(id);
    callback();
    return;
  }
  // Re-armed first, from the previous due time: no drift; what was missed is skipped, not replayed.
  TimePoint next = deadline_after(timer.deadline, timer.interval);
  const TimePoint now = reactor.now();
  if (next <= now) {
    const auto missed = (now - timer.deadline) / timer.interval;
    next = deadline_after(timer.deadline, timer.interval * missed + timer.interval);
  }
  reactor.timers_.arm(timer, next);
  struct PutBack {
    Reactor& reactor;
    std::uint64_t id;
    UniqueFunction<void()>& callback;
    ~PutBack() {
      const auto found = reactor.callbacks_.find(id);
      if (found != reactor.callbacks_.end()) found->second->callback = std::move(callback);
    }
  } put_back{reactor, id, callback};
  callback();
}

void Reactor::hold_callbacks(bool hold) {
  holding_ = hold;
  if (hold) return;
  for (TimerNode* node : held_) timers_.rearm_as_is(*node);
  held_.clear();
}

void Reactor::fire_due(TimePoint now, std::uint64_t limit, const bool& stop) {
  struct BringBack {
    TimerQueue& timers;
    ~BringBack() { timers.bring_back(); }
  } bring_back{timers_};
  for (TimerNode* due = nullptr; !stop && (due = timers_.due(now)) != nullptr;) {
    TimerNode& node = *due;
    if (node.sequence >= limit) {
      timers_.set_aside(node);  // armed in this turn, due already: next turn
      continue;
    }
    timers_.disarm(node);
    timers_.prefetch_next();
    node.fire(node);
  }
}

// ---- Waiting ---------------------------------------------------------------------------------------

void Reactor::arm_timerfd(TimePoint deadline) {
  // Lazily: a timer set too early costs one extra turn when it fires; most deadlines go away before.
  if (deadline >= timerfd_deadline_) return;
  itimerspec spec{};
  const auto since_epoch = std::max(deadline.time_since_epoch(), Duration{1});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = (since_epoch - seconds).count();
  ::timerfd_settime(timerfd_, TFD_TIMER_ABSTIME, &spec, nullptr);
  timerfd_deadline_ = deadline;
}

void Reactor::wait(TimePoint until) {
  start();
  const TimePoint now = Clock::now();
  const bool may_block = until > now;
  if (now >= verify_at_) {
    verify_at_ = TimePoint::max();
    verify_waits();
  }
  if (!unverified_.empty()) {
    if (now >= next_sweep_) sweep(now);
    const TimePoint check_at = now + verify_after;
    if (until > check_at) {
      reports_ = 0;
      backend_.wait(check_at, *this);
      if (reports_ == 0 && Clock::now() >= check_at) verify_waits();
      settle_reports();
      return;
    }
  }
  const bool by_timerfd = may_block && timerfd_ >= 0 && until != TimePoint::max();
  if (by_timerfd) arm_timerfd(until);
  reports_ = 0;
  backend_.wait(by_timerfd ? TimePoint::max() : may_block ? until : TimePoint::min(), *this);
  if (may_block && reports_ == 0 && Clock::now() < until) {
    if (++empty_wakeups_ >= most_empty_wakeups) {
      empty_wakeups_ = 0;
      rebuild();
    }
  } else if (may_block || reports_ != 0) {  // a mere look that found nothing tells nothing
    empty_wakeups_ = 0;
  }
  settle_reports();
}

void Reactor::ready(int fd, Interest directions) noexcept {
  ++reports_;
  if (guest_ && owner != nullptr) static_cast<Loop*>(owner)->outside_change();
  if (fd == inbox_->wake_fd()) {
    zombie_seen_ = !inbox_->drain() || zombie_seen_;
    return;
  }
  if (fd == timerfd_) {
    std::uint64_t expirations = 0;
    if (::read(timerfd_, &expirations, sizeof expirations) < 0) {
      zombie_seen_ = true;
    } else {
      timerfd_deadline_ = TimePoint::max();
    }
    return;
  }
  if (fd < 0 || static_cast<std::size_t>(fd) >= fds_.size()) return;
  __builtin_prefetch(&fds_[static_cast<std::size_t>(fd)], 1);
  reported_.push_back({fd, directions});
  if (guest_) wake_reported();  // the host's turn goes on, and may ask whether there is work
}

// Wakes whom the reports concern.  From a report it is three steps through memory that is in no cache if
// tasks are many: the entry, the waiter on its task's stack, the control block.  So all reports are noted
// first, which fetches the entries, and the other steps are fetched some reports ahead.
void Reactor::wake_reported() noexcept {
  const std::size_t count = reported_.size();
  const std::size_t ahead = std::min<std::size_t>(8, count / 2);
  for (std::size_t i = 0; i < count + 2 * ahead; ++i) {
    if (i < count) {
      for (const Waiter* waiter : entry_of(reported_[i]).waiter) __builtin_prefetch(waiter, 1);
    }
    if (i >= ahead && i - ahead < count) {
      for (const Waiter* waiter : entry_of(reported_[i - ahead]).waiter) {
        if (waiter != nullptr) waiter->task->prefetch();
      }
    }
    if (i >= 2 * ahead) wake_reported(reported_[i - 2 * ahead]);
  }
  reported_.clear();
}

void Reactor::wake_reported(const Report& report) noexcept {
  FdEntry& entry = entry_of(report);
  bool claimed = false;
  for (const Direction direction : {Direction::read, Direction::write}) {
    if (!any(report.directions & interest_of(direction))) continue;
    Waiter*& waiter = entry.waiter[static_cast<int>(direction)];
    if (waiter == nullptr) continue;
    claimed = true;
    --fd_waiters_;
    wake(*std::exchange(waiter, nullptr));
  }
  if (claimed) {
    entry.unclaimed = 0;
  } else {
    unclaimed_.push_back(report.fd);
  }
}

void Reactor::dead(int fd) noexcept {
  ++reports_;
  if (fd < 0 || static_cast<std::size_t>(fd) >= fds_.size()) return;
  wake_dead(fd);
  forget(fd);
}

void Reactor::wake_dead(int fd) noexcept {
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  for (Waiter*& waiter : entry.waiter) {
    if (waiter == nullptr) continue;
    --fd_waiters_;
    static_cast<FdWaiter&>(*waiter).dead = true;
    wake(*std::exchange(waiter, nullptr), Wake::broken);
  }
}

void Reactor::forget(int fd) noexcept {
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  entry.registered = Interest::none;
  entry.unclaimed = 0;
}

// A registration nobody waits on is kept for one more turn (the task is probably about to wait
// again), then dropped: it would make every wait return at once.
void Reactor::settle_reports() {
  wake_reported();
  if (std::exchange(zombie_seen_, false)) rebuild();
  for (const int fd : unclaimed_) {
    FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
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

void Reactor::unregister(int fd, Interest directions) noexcept {
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  entry.registered = entry.registered & ~directions;
  if (watch(fd, entry.registered) != 0) trust(fd);  // for whoever waits in the other direction
  if (::fcntl(fd, F_GETFD) < 0) {
    // Closed without notice, yet still ready: a duplicate keeps the kernel's registration alive,
    // and no system call can name it any more.  A new kernel object has none of that.
    entry.registered = Interest::none;
    backend_.watch(fd, Interest::none);
    rebuild();
  }
}

void Reactor::rebuild() noexcept {
  rebuilt();
  try {
    backend_.after_fork();
  } catch (const BackendError&) {  // out of descriptors: tried again at the next report
  }
}

int Reactor::watch(int fd, Interest wanted) noexcept {
  constexpr std::uint32_t never = 0;
  const int error = backend_.watch(fd, wanted);
  fds_[static_cast<std::size_t>(fd)].told_in = error == 0 ? rebuilds_ : never;
  return error;
}

// Does the kernel still watch it?  Yes if the number stands for the file it was registered for, and the
// kernel object is the same, too: one made anew has what the number stood for then.  That it is the same
// file can be said of sockets, no two of which have one inode.  Others may, such as the ends of a pipe.
bool Reactor::still_stands(const FdEntry& entry, const struct stat& info) const noexcept {
  return entry.is_of(info) && S_ISSOCK(info.st_mode) && entry.told_in == rebuilds_;
}

// A wait that trusted an old registration: is it still the same file?  False: not known yet.
bool Reactor::verify(int fd) noexcept {
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  entry.unverified = false;
  if (entry.waiter[0] == nullptr && entry.waiter[1] == nullptr) return true;
  struct stat info {};
  const bool open = ::fstat(fd, &info) == 0;
  if (open && still_stands(entry, info)) return true;
  const int error = open ? watch(fd, entry.registered) : EBADF;
  if (error == EBADF || error == EPERM) {
    wake_dead(fd);
    backend_.watch(fd, Interest::none);
    forget(fd);
    return true;
  }
  entry.unverified = error != 0;  // out of memory, say
  entry.device = info.st_dev;
  entry.inode = info.st_ino;
  return error == 0;
}

bool Reactor::verify_waits() noexcept {
  if (unverified_.empty()) return false;
  std::erase_if(unverified_, [this](int fd) { return verify(fd); });
  return true;
}

void Reactor::sweep(TimePoint now) noexcept {
  next_sweep_ = now + sweep_every;
  std::erase_if(unverified_, [this](int fd) {
    const bool young = fds_[static_cast<std::size_t>(fd)].trusted_in == sweeps_;
    return !young && verify(fd);
  });
  ++sweeps_;
}

// ---- Descriptors -----------------------------------------------------------------------------------

bool Reactor::abort_fd_wait(Waiter& waiter) noexcept {
  auto& wait = static_cast<FdWaiter&>(waiter);
  Reactor& reactor = waiter.task->loop->reactor();
  reactor.fds_[static_cast<std::size_t>(wait.fd)].waiter[static_cast<int>(wait.direction)] =
      nullptr;
  --reactor.fd_waiters_;
  return true;
}

inline bool Reactor::is_trusted(const TaskControl& self, int fd,
                                Direction direction) const noexcept {
  if (fd < 0 || static_cast<std::size_t>(fd) >= fds_.size()) return false;
  const FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  const int slot = static_cast<int>(direction);
  return any(entry.registered & interest_of(direction)) && entry.last_task[slot] == self.id &&
         entry.waiter[slot] == nullptr;
}

inline void Reactor::trust(int fd) {
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  entry.trusted_in = sweeps_;
  if (entry.unverified) return;
  unverified_.push_back(fd);
  entry.unverified = true;
}

bool Reactor::look_afresh(const TaskControl& self, int fd, Direction direction, const char* call) {
  struct stat info {};
  // Of a number that only names a path, one mechanism says EBADF, one that it is ready, and libev
  // ends the process.
  const int flags = ::fcntl(fd, F_GETFL);
  const bool only_a_path = flags >= 0 && (flags & O_PATH) != 0;
  if (flags < 0 || only_a_path || ::fstat(fd, &info) != 0) {
    const int error = only_a_path ? EBADF : errno;
    throw FdError(fd_text(call, fd) + ": " + std::strerror(error) +
                      "; wait on a descriptor that is open, and call notify_closing(fd) before "
                      "closing one that may be waited on",
                  error);
  }
  if (static_cast<std::size_t>(fd) >= fds_.size())
    fds_.resize(std::max<std::size_t>(static_cast<std::size_t>(fd) + 1, fds_.size() * 2));
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  const int slot = static_cast<int>(direction);
  const bool same_file = entry.is_of(info);
  if (!same_file) wake_dead(fd);  // their file is gone; this one is not theirs
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

void Reactor::throw_broken(const TaskControl& self, int fd, bool dead, const char* call) {
  if (dead) {
    throw FdError(fd_text(call, fd) + ": " + std::strerror(EBADF) + "; it was closed while task '" +
                      self.display_name() +
                      "' waited on it: call notify_closing(fd) before close(fd)",
                  EBADF);
  }
  throw ClosedError(fd_text(call, fd) + ": closed by notify_closing while task '" +
                    self.display_name() + "' waited on it");
}

bool Reactor::prepare_wait(const TaskControl& self, int fd, Direction direction, const char* call) {
  if (!is_trusted(self, fd, direction)) [[unlikely]]
    return look_afresh(self, fd, direction, call);
  trust(fd);
  return true;
}

// Each line of a parked stack counts, so its frame holds what it needs after the wait, and no more.
Wake Reactor::wait_fd(TaskControl& self, int fd, Direction direction, const TimePoint* deadline,
                      const char* call) {
  if (!prepare_wait(self, fd, direction, call)) [[unlikely]] {
    self.loop->yield(self);  // what epoll refuses never has to be waited for
    return Wake::completed;
  }
  FdWaiter waiter{fd, direction};
  waiter.abort = &abort_fd_wait;
  fds_[static_cast<std::size_t>(fd)].waiter[static_cast<int>(direction)] = &waiter;
  ++fd_waiters_;
  const Wake outcome =
      deadline == nullptr ? suspend(self, waiter) : suspend_until(self, waiter, *deadline);
  if (outcome == Wake::broken) [[unlikely]]
    throw_broken(self, fd, waiter.dead, call);
  rethrow_cancel(self, outcome);
  return outcome;
}

void Reactor::notify_closing(int fd) {
  if (fd < 0 || static_cast<std::size_t>(fd) >= fds_.size()) return;
  FdEntry& entry = fds_[static_cast<std::size_t>(fd)];
  for (Waiter*& waiter : entry.waiter) {
    if (waiter == nullptr) continue;
    --fd_waiters_;
    wake(*std::exchange(waiter, nullptr), Wake::broken);
  }
  if (any(entry.registered)) backend_.watch(fd, Interest::none);
  forget(fd);
  entry.device = 0;
  entry.inode = 0;
}

void Reactor::after_fork() {
  rebuilt();
  backend_.after_fork();  // first: until then every change would reach the parent's kernel object
  generation_ = forks.load(std::memory_order_relaxed);
  if (started_) backend_.watch(inbox_->wake_fd(), Interest::none);
  inbox_->after_fork();
  const bool was_started = std::exchange(started_, false);
  if (timerfd_ >= 0) {
    backend_.watch(timerfd_, Interest::none);
    ::close(timerfd_);
    timerfd_ = -1;
    timerfd_deadline_ = TimePoint::max();
  }
  if (was_started) start();
}

}  // namespace asyncio::detail
