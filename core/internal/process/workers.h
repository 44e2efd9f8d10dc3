// Blocking calls of a loop's tasks: the threads, the jobs, and who waits for them.
#pragma once

#include <csignal>
#include <cstddef>
#include <memory>
#include <vector>

#include <asyncio/core/internal/process/thread_pool.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

class Workers {
 public:
  /// The threads block these signals, too.
  /// Throws: std::invalid_argument for a number that is not a signal.
  explicit Workers(const std::vector<int>& blocked_signals);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Runs `job`, which must not throw, on a thread.  The job counts until job_is_done().
  /// Throws: std::system_error if no thread can be started.
  void start(UniqueFunction<void()> job) {
    if (pool_ == nullptr) pool_ = std::make_unique<ThreadPool>(blocked_signals_);
    pool_->submit(std::move(job));
    ++jobs_;
  }
  void job_is_done() noexcept { --jobs_; }
  /// Jobs that have not been reported done; each may wake a task.
  std::size_t jobs() const noexcept { return jobs_; }

  /// The tasks that wait for a job.
  lowlevel::WaitQueue& waiting() noexcept { return waiting_; }

  /// To be called in the child of a fork.  The threads stayed with the parent, so tasks that wait
  /// for one are woken with Wake::broken.  The pool is leaked, because a thread may have held its
  /// lock.
  void after_fork() noexcept {
    static_cast<void>(pool_.release());
    jobs_ = 0;
    waiting_.wake_all(lowlevel::Wake::broken);
  }
  /// To be called when the loop ends: joins the threads that are idle.
  void end() noexcept { pool_.reset(); }

 private:
  sigset_t blocked_signals_;
  std::unique_ptr<ThreadPool> pool_;
  std::size_t jobs_ = 0;
  lowlevel::WaitQueue waiting_;
};

}  // namespace asyncio::detail
