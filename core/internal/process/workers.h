// Blocking calls of a loop's tasks: the threads, the jobs, and who waits for them.
#pragma once

#include <csignal>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <asyncio/core/internal/process/thread_pool.h>
#include <asyncio/core/lowlevel/thread_lane.h>
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

  /// Runs `job`, which must not throw, on a thread of `lane`.  It counts until job_is_done().
  /// Throws: std::system_error if no thread can be started.
  void start(const lowlevel::ThreadLane& lane, UniqueFunction<void()> job) {
    pool_of(lane).submit(std::move(job));
    ++jobs_;
  }
  void job_is_done() noexcept { --jobs_; }
  /// Jobs that have not been reported done; each may wake a task.
  std::size_t jobs() const noexcept { return jobs_; }

  /// The threads of all lanes.
  std::size_t threads() const noexcept {
    std::size_t sum = 0;
    for (const Pool& pool : pools_) sum += pool.threads->threads();
    return sum;
  }

  /// The tasks that wait for a job.
  lowlevel::WaitQueue& waiting() noexcept { return waiting_; }

  /// To be called in the child of a fork.  The threads stayed with the parent, so tasks that wait
  /// for one are woken with Wake::broken.  The pools are leaked, because a thread may have held a
  /// lock.
  void after_fork() noexcept {
    for (Pool& pool : pools_) static_cast<void>(pool.threads.release());
    pools_.clear();
    jobs_ = 0;
    waiting_.wake_all(lowlevel::Wake::broken);
  }
  /// To be called when the loop ends: joins the threads that are idle.
  void end() noexcept { pools_.clear(); }

 private:
  struct Pool {
    const lowlevel::ThreadLane* lane;
    std::unique_ptr<ThreadPool> threads;
  };

  ThreadPool& pool_of(const lowlevel::ThreadLane& lane) {
    for (Pool& pool : pools_) {
      if (pool.lane == &lane) return *pool.threads;
    }
    pools_.push_back({&lane, std::make_unique<ThreadPool>(lane.most_threads(), blocked_signals_)});
    return *pools_.back().threads;
  }

  sigset_t blocked_signals_;
  std::vector<Pool> pools_;  ///< lanes are few
  std::size_t jobs_ = 0;
  lowlevel::WaitQueue waiting_;
};

}  // namespace asyncio::detail
