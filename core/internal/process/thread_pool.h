// A small bounded pool of threads for blocking calls.
#pragma once

#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

/// Threads are started when needed and stay until the pool is destroyed.
class ThreadPool {
 public:
  /// The threads block these signals, beside those that the thread which starts them blocks.
  ThreadPool(std::size_t most_threads, const sigset_t& blocked) noexcept
      : most_threads_(most_threads), blocked_(blocked) {}
  /// Joins the idle threads.  One that is still busy has been abandoned by its task: it goes on by
  /// itself and ends with its job.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Runs `job`, which must not throw, on one of the threads, first in, first out.
  /// Throws: std::system_error if no thread at all can be started.
  void submit(UniqueFunction<void()> job);

  std::size_t threads() const noexcept { return workers_.size(); }

 private:
  /// Shared with the threads, which may outlive the pool.
  struct State {
    std::mutex mutex;
    std::condition_variable work;
    std::deque<UniqueFunction<void()>> jobs;
    std::size_t idle = 0;
    bool closing = false;
  };
  struct Worker {
    std::thread thread;
    std::shared_ptr<bool> busy;  // guarded by State::mutex
  };

  static void work(const std::shared_ptr<State>& state, const std::shared_ptr<bool>& busy);

  const std::size_t most_threads_;
  const sigset_t blocked_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::vector<Worker> workers_;
};

}  // namespace asyncio::detail
