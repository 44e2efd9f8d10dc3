// What other threads and signal handlers leave for a loop: a lock-free list and a wake-up.
#pragma once

#include <atomic>
#include <cstdint>

#include <sys/types.h>

namespace asyncio::detail {

class Scheduler;

/// The kernel's number of the calling thread, or 0 until it is asked for.  Unlike a pthread_t, it
/// can be asked whether the thread still lives.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local ::pid_t known_thread_number;
/// To be called in the child of a fork, where the one thread has another number.
void forget_thread_number() noexcept;

/// One thing left for a loop.  `run` is called once, and frees it: on the loop's thread with the
/// loop's scheduler, or with null if the loop closes first.
struct Post {
  explicit constexpr Post(void (*runner)(Post&, Scheduler*)) noexcept : run(runner) {}
  void (*run)(Post&, Scheduler*);
  Post* next = nullptr;
  std::uint64_t epoch = 0;  ///< the use of the inbox it is for; 0: any
};

/// First in, first out.  Objects are never freed, only reused: a thread that still holds one after
/// its loop is gone finds it closed, or sees its post refused by `run`.
class Inbox {
 public:
  /// An open inbox with an eventfd.
  /// Throws: Error when out of descriptors.
  static Inbox& open();
  /// Takes no more posts, and drops what is left (with null).
  void refuse() noexcept;
  /// As refuse(), and gives the object back.
  void close() noexcept;

  /// Takes over `post`.  Returns false if the inbox is closed; the post is then still the caller's.
  /// Threads: any.  Cost: one atomic exchange; a write(2) if the loop sleeps.
  bool push(Post& post) noexcept;

  /// Wakes the loop.  Threads: any; async-signal-safe.
  void wake() noexcept;
  /// Notes that a signal has arrived for the loop, and wakes it.  Async-signal-safe.
  void wake_for_signal() noexcept {
    signalled_.store(true);
    wake();
  }

  /// Does this thread run the loop that owns this inbox?  Threads: any, at any time.
  bool on_owners_thread() const noexcept {
    return owner_.load(std::memory_order_relaxed) == thread_number();
  }
  /// Throws InvalidStateError if it does not.  `call` names the caller.  A loop whose thread has
  /// ended, or that is lent, becomes the calling thread's instead.
  void check_thread(const char* call) {
    if (!on_owners_thread()) [[unlikely]]
      adopt_or_refuse(call);
  }
  /// Makes the calling thread the owner's.
  void claim() noexcept {
    owner_.store(thread_number(), std::memory_order_relaxed);
    lent_.store(false, std::memory_order_relaxed);
  }
  /// Lets the next thread that calls take the loop over: the one that made it only sets it up.
  void lend() noexcept { lent_.store(true, std::memory_order_relaxed); }

  // The loop's side.
  bool has_posts() const noexcept { return head_.load(std::memory_order_relaxed) != nullptr; }
  /// Has a signal arrived since the last call?
  bool take_signalled() noexcept {
    return signalled_.load(std::memory_order_relaxed) && signalled_.exchange(false);
  }
  /// Takes everything posted so far, oldest first.
  Post* take_all() noexcept;
  /// Between these two, posts write to wake_fd().  begin_sleep() returns false if there is work.
  bool begin_sleep() noexcept;
  void end_sleep() noexcept { sleeping_.store(false, std::memory_order_relaxed); }
  int wake_fd() const noexcept { return wake_fd_; }
  /// Differs between two loops that had this object one after the other.
  std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_relaxed); }
  /// Is the loop that had epoch() when it took this object still there?
  /// Threads: the one that closes it.
  bool is_open(std::uint64_t epoch) const noexcept { return epoch == this->epoch(); }
  /// Makes wake_fd() readable, whether the loop sleeps or not.
  void ring() noexcept;
  /// Empties the eventfd.  Returns false if it was empty.
  bool drain() noexcept;
  /// Takes note that somebody else has closed the eventfd: its number may stand for another file.
  void forget_wake_fd() noexcept;
  /// Takes note that in the child of a fork there are no other threads.
  void forget_writers() noexcept { writers_.store(0); }
  /// Makes a new eventfd.
  void renew();

 private:
  /// Sees to it that no thread uses the eventfd, nor will before the next sleep.
  void wait_for_writers() noexcept;
  static ::pid_t thread_number() noexcept {
    if (known_thread_number == 0) [[unlikely]]
      learn_thread_number();
    return known_thread_number;
  }
  static void learn_thread_number() noexcept;
  void adopt_or_refuse(const char* call);
  static Post* closed_mark() noexcept;

  std::atomic<Post*> head_{nullptr};
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> wake_requested_{false};
  std::atomic<bool> signalled_{false};
  std::atomic<int> writers_{0};
  std::atomic<::pid_t> owner_{0};
  std::atomic<bool> lent_{false};
  int wake_fd_ = -1;
  std::atomic<std::uint64_t> epoch_{1};  // incremented on close: a former owner sees that at once
  Inbox* next_idle_ = nullptr;
};

}  // namespace asyncio::detail
