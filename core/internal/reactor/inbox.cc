#include <asyncio/core/internal/reactor/inbox.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asyncio/core/detail/fork_mutex.h>
#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

// Never destroyed: threads may post, and be refused, while statics are destroyed.
constinit ForkMutex idle_mutex;
constinit Inbox* first_idle = nullptr;

int make_eventfd() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    throw Error(std::string{"the event loop could not create its wake-up eventfd: "} +
                std::strerror(errno) + "; close descriptors or raise the limit (ulimit -n)");
  }
  return fd;
}

bool has_ended(::pid_t thread) noexcept {
  const int saved = errno;
  constexpr int no_signal = 0;
  const bool ended = ::syscall(SYS_tgkill, ::getpid(), thread, no_signal) != 0 && errno == ESRCH;
  errno = saved;
  return ended;
}

}  // namespace

constinit thread_local ::pid_t known_thread_number = 0;

void forget_thread_number() noexcept { known_thread_number = 0; }

Post* Inbox::closed_mark() noexcept {
  constinit static Post mark{nullptr};
  return &mark;
}

Inbox& Inbox::open() {
  const int fd = make_eventfd();
  Inbox* inbox = nullptr;
  {
    const std::lock_guard lock{idle_mutex};
    inbox = first_idle;
    if (inbox != nullptr) first_idle = inbox->next_idle_;
  }
  if (inbox == nullptr) inbox = new Inbox;
  inbox->wake_fd_ = fd;
  inbox->wake_requested_ = false;
  inbox->signalled_ = false;
  inbox->claim();
  inbox->head_.store(nullptr, std::memory_order_release);
  return *inbox;
}

void Inbox::learn_thread_number() noexcept {
  known_thread_number = static_cast<::pid_t>(::syscall(SYS_gettid));
}

void Inbox::adopt_or_refuse(const char* call) {
  ::pid_t owner = owner_.load(std::memory_order_relaxed);
  const bool is_free = lent_.exchange(false, std::memory_order_relaxed) || has_ended(owner);
  if (is_free && owner_.compare_exchange_strong(owner, thread_number())) return;
  throw InvalidStateError(std::string{call} +
                          " must be called on the loop's own thread: from other threads, have the "
                          "loop call it with call_soon_threadsafe(...) of a LoopHandle, which "
                          "handle() gives");
}

void Inbox::refuse() noexcept {
  Post* left = head_.exchange(closed_mark());
  while (left != nullptr && left != closed_mark()) {
    Post* next = left->next;
    left->run(*left, nullptr);
    left = next;
  }
}

void Inbox::close() noexcept {
  epoch_.fetch_add(1, std::memory_order_relaxed);
  refuse();
  wait_for_writers();
  ::close(wake_fd_);
  wake_fd_ = -1;
  const std::lock_guard lock{idle_mutex};
  next_idle_ = first_idle;
  first_idle = this;
}

// A thread that saw sleeping_ true has counted itself in before it looks again and finds it false.
void Inbox::wait_for_writers() noexcept {
  sleeping_.store(false);
  while (writers_.load() != 0) {
  }
}

bool Inbox::push(Post& post) noexcept {
  Post* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == closed_mark()) return false;
    post.next = head;
  } while (!head_.compare_exchange_weak(head, &post));
  // Dekker with begin_sleep(): either the loop sees the post, or we see it asleep.
  if (sleeping_.load()) wake();
  return true;
}

void Inbox::wake() noexcept {
  wake_requested_.store(true);
  if (!sleeping_.load()) return;
  writers_.fetch_add(1);
  if (sleeping_.exchange(false)) {
    const int saved = errno;  // a signal handler must not disturb it
    ring();
    errno = saved;
  }
  writers_.fetch_sub(1);
}

void Inbox::ring() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

Post* Inbox::take_all() noexcept {
  Post* newest = head_.exchange(nullptr, std::memory_order_acquire);
  Post* oldest = nullptr;
  while (newest != nullptr) {
    Post* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

bool Inbox::begin_sleep() noexcept {
  sleeping_.store(true);
  if (head_.load() == nullptr && !wake_requested_.exchange(false)) return true;
  sleeping_.store(false);
  wake_requested_.store(false);
  return false;
}

bool Inbox::drain() noexcept {
  wake_requested_.store(false);  // before reading: a wake-up from here on is for the next sleep
  std::uint64_t count = 0;
  return ::read(wake_fd_, &count, sizeof count) > 0;
}

void Inbox::forget_wake_fd() noexcept {
  wait_for_writers();
  wake_fd_ = -1;
}

void Inbox::renew() {
  sleeping_.store(false);
  const int fd = make_eventfd();
  ::close(wake_fd_);
  wake_fd_ = fd;
}

}  // namespace asyncio::detail
