#include <asyncio/core/internal/reactor/reactor.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <pthread.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

// Waits in a row that end early and report nothing: the kernel object holds a registration that can
// no longer be named (a closed descriptor with a living duplicate), so it is made anew.
constexpr unsigned most_empty_wakeups = 64;

// From the start of the program on, and not from the first loop: then a fork could come in between.
[[maybe_unused]] const int forks_count = ::pthread_atfork(nullptr, nullptr, [] {
  forks.fetch_add(1, std::memory_order_relaxed);
  forget_thread_number();
});

}  // namespace

constinit std::atomic<std::uint64_t> forks{0};

Reactor::Reactor(EventLoopInterface& interface)
    : backend_(interface),
      callbacks_(*this),
      descriptors_(backend_),
      inbox_(&Inbox::open()),
      guest_(backend_.is_guest()),
      generation_(forks.load(std::memory_order_relaxed)),
      process_(::getpid()) {
  ::fstat(inbox_->wake_fd(), &wake_file_);
}

Reactor::~Reactor() {
  callbacks_.clear();
  inbox_->close();
  if (timerfd_ >= 0) ::close(timerfd_);
}

void Reactor::take_over(ReactorUser& user) {
  if (user_ != nullptr) {
    throw InvalidStateError(
        "EventLoop: another EventLoop already has this backend; make a new one with "
        "make_backend(...)");
  }
  user_ = &user;
}

void Reactor::watch_own(int fd, const char* what) {
  if (const int error = backend_.watch(fd, Interest::read); error != 0) {
    throw BackendError("backend '" + backend_.type() + "' could not watch the loop's " + what +
                       ": " + std::strerror(error));
  }
}

// Not done in the constructor, where the backend's half of the object does not exist yet.
void Reactor::start() {
  if (std::exchange(started_, true)) return;
  watch_own(inbox_->wake_fd(), "wake-up fd");
  if (backend_.is_exact()) return;
  timerfd_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timerfd_ < 0) {
    throw BackendError("backend '" + backend_.type() +
                       "' could not create its timerfd: " + std::strerror(errno));
  }
  watch_own(timerfd_, "timerfd");
}

void Reactor::set_resting(bool resting) noexcept {
  resting_ = resting;
  const Interest wanted = resting ? Interest::none : Interest::read;
  backend_.watch(inbox_->wake_fd(), wanted);
  backend_.watch(timerfd_, wanted);
}

// A host that watches one descriptor is called by what shows there, and else by our wake-up fd.
void Reactor::work_arrived() noexcept {
  if (!is_by_descriptor()) {
    backend_.keep_host(true);  // until it is known what the work is
    return backend_.work_arrived();
  }
  if (resting_) set_resting(false);
  inbox_->ring();
}

void Reactor::rest(bool alive, TimePoint until) {
  if (resting_ == alive) {
    set_resting(!alive);
    if (!alive) descriptors_.unregister_all();
  }
  if (!alive) return;
  until = std::min(until, descriptors_.check_before_rest());
  if (until != TimePoint::max()) arm_timerfd(until);
}

void Reactor::detach() noexcept {
  guest_ = false;
  resting_ = false;
  backend_.detach();
  backend_.watch(inbox_->wake_fd(), Interest::read);
  descriptors_.register_anew();
}

// The one that wakes us stands for all: who closes it has not looked whose it was.
bool Reactor::has_lost_descriptors() const noexcept {
  struct stat now {};
  return ::fstat(inbox_->wake_fd(), &now) != 0 || now.st_dev != wake_file_.st_dev ||
         now.st_ino != wake_file_.st_ino;
}

void Reactor::check_descriptors(const char* call) const {
  if (!has_lost_descriptors()) return;
  throw InvalidStateError(
      std::string{call} +
      " on a loop whose own descriptors were closed by somebody else, as a program does that "
      "becomes a daemon: make the loop after that, or keep descriptors that are not yours open");
}

void Reactor::replace_lost_descriptors() {
  backend_.watch(inbox_->wake_fd(), Interest::none);
  inbox_->forget_wake_fd();
  if (timerfd_ >= 0) backend_.watch(timerfd_, Interest::none);
  timerfd_ = -1;
  timerfd_deadline_ = TimePoint::max();
  // First that of the backend: libev closes the old number as late as in its next run, and by then
  // it could be that of a descriptor of ours.
  backend_.rebuild();
  backend_.wait(TimePoint::min(), *this);
  renew();
}

void Reactor::after_fork() {
  inbox_->forget_writers();
  renew();
}

void Reactor::renew() {
  rebuilt();
  backend_.rebuild();  // first: until then every change would reach the parent's kernel object
  generation_ = forks.load(std::memory_order_relaxed);
  process_ = ::getpid();
  if (inbox_->wake_fd() >= 0) backend_.watch(inbox_->wake_fd(), Interest::none);
  inbox_->renew();
  const bool was_started = std::exchange(started_, false);
  if (timerfd_ >= 0) {
    backend_.watch(timerfd_, Interest::none);
    ::close(timerfd_);
    timerfd_ = -1;
    timerfd_deadline_ = TimePoint::max();
  }
  if (was_started) start();
  resting_ = false;
  if (is_by_descriptor()) inbox_->ring();  // the old one may have been rung
}

// ---- Time ---------------------------------------------------------------------------------------

void Reactor::fire_due(TimePoint now, std::uint64_t limit, const bool& stop, TimePoint budget_end) {
  struct BringBack {
    TimerQueue& timers;
    ~BringBack() { timers.bring_back(); }
  } bring_back{timers_};
  for (TimerNode* due = nullptr; !stop && !forked() && (due = timers_.due(now)) != nullptr;) {
    TimerNode& node = *due;
    if (node.sequence >= limit) {
      timers_.set_aside(node);  // armed in this turn, due already: next turn
      continue;
    }
    timers_.disarm(node);
    timers_.prefetch_next();
    node.fire(node);
    if (budget_end != TimePoint::max() && Clock::now() >= budget_end) break;
  }
}

void Reactor::arm_timerfd(TimePoint deadline) {
  // Set lazily: a timer that fires too early costs one extra turn, and most deadlines go away
  // before.
  if (deadline >= timerfd_deadline_) return;
  itimerspec spec{};
  const auto since_epoch = std::max(deadline.time_since_epoch(), Duration{1});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = (since_epoch - seconds).count();
  ::timerfd_settime(timerfd_, TFD_TIMER_ABSTIME, &spec, nullptr);
  timerfd_deadline_ = deadline;
}

// ---- Waiting ------------------------------------------------------------------------------------

void Reactor::wait(TimePoint until) {
  start();
  const TimePoint now = Clock::now();
  const bool may_block = until > now;
  if (const TimePoint check_at = descriptors_.check_before_wait(now); until > check_at) {
    reports_ = 0;
    wait_in_backend(check_at);
    if (reports_ == 0 && Clock::now() >= check_at) descriptors_.verify_waits();
    settle_reports();
    return;
  }
  const bool by_timerfd = may_block && !backend_.is_exact() && until != TimePoint::max();
  if (by_timerfd) arm_timerfd(until);
  reports_ = 0;
  wait_in_backend(by_timerfd ? TimePoint::max() : may_block ? until : TimePoint::min());
  if (may_block && reports_ == 0 && Clock::now() < until) {
    if (++empty_wakeups_ >= most_empty_wakeups) {
      empty_wakeups_ = 0;
      descriptors_.rebuild();
    }
  } else if (may_block || reports_ != 0) {  // an empty look without a wait proves nothing
    empty_wakeups_ = 0;
  }
  settle_reports();
}

bool Reactor::in_another_process() const noexcept { return forked() || ::getpid() != process_; }

void Reactor::wait_in_backend(TimePoint until) {
  try {
    backend_.wait(until, *this);
  } catch (const BackendError&) {
    if (has_lost_descriptors()) stop_for_lost_descriptors();
    throw;
  }
}

// The tasks can be unwound with new ones, which is all that is left to do.
void Reactor::stop_for_lost_descriptors() {
  replace_lost_descriptors();
  throw BackendError("backend '" + backend_.type() +
                     "' cannot go on: somebody has closed the loop's own descriptors while it ran; "
                     "a program should close only what is its own");
}

void Reactor::ready(int fd, Interest directions) noexcept {
  ++reports_;
  tell_of_work();
  if (forked()) {  // a host runs in there: what it reads of the parent's, the parent would miss
    backend_.watch(fd, Interest::none);
    return;
  }
  if (fd == inbox_->wake_fd()) {
    zombie_seen_ = !inbox_->drain() || zombie_seen_;
    return;
  }
  if (fd == timerfd_) {
    std::uint64_t expirations = 0;
    if (::read(timerfd_, &expirations, sizeof expirations) < 0) {
      zombie_seen_ = true;
    } else {
      fired_ = std::max(fired_, timerfd_deadline_);
      timerfd_deadline_ = TimePoint::max();
    }
    return;
  }
  descriptors_.note_ready(fd, directions);
  if (guest_) descriptors_.wake_reported();  // the host's turn goes on, and may ask for work
}

void Reactor::dead(int fd) noexcept {
  ++reports_;
  if (fd == inbox_->wake_fd() || fd == timerfd_) zombie_seen_ = true;
  descriptors_.note_dead(fd);
}

void Reactor::settle_reports() {
  descriptors_.wake_reported();
  if (std::exchange(zombie_seen_, false)) {
    if (has_lost_descriptors()) stop_for_lost_descriptors();
    descriptors_.rebuild();
  }
  descriptors_.drop_unclaimed();
}

}  // namespace asyncio::detail
