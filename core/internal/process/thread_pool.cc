#include <asyncio/core/internal/process/thread_pool.h>

#include <system_error>
#include <utility>

namespace asyncio::detail {
namespace {

// A thread is started with the mask of the thread that starts it: so it never has another one, not
// even for a moment.
class Blocked {
 public:
  explicit Blocked(const sigset_t& signals) noexcept {
    ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~Blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

void ThreadPool::work(const std::shared_ptr<State>& state, const std::shared_ptr<bool>& busy) {
  std::unique_lock lock{state->mutex};
  for (;;) {
    ++state->idle;
    state->work.wait(lock, [&] { return state->closing || !state->jobs.empty(); });
    --state->idle;
    if (state->closing) return;
    UniqueFunction<void()> job = std::move(state->jobs.front());
    state->jobs.pop_front();
    *busy = true;
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    *busy = false;
  }
}

void ThreadPool::submit(UniqueFunction<void()> job) {
  const std::lock_guard lock{state_->mutex};
  if (state_->idle <= state_->jobs.size() && workers_.size() < most_threads_) {
    // Without a wish, it blocks what the loop's thread blocks, and so does what a job starts: a
    // program with all signals blocked could not be ended.
    try {
      auto busy = std::make_shared<bool>(false);
      const Blocked as_wished{blocked_};
      workers_.push_back({std::thread{&ThreadPool::work, state_, busy}, busy});
    } catch (const std::system_error&) {
      if (workers_.empty()) throw;
    }
  }
  state_->jobs.push_back(std::move(job));
  state_->work.notify_one();
}

ThreadPool::~ThreadPool() {
  std::vector<std::thread> joinable;
  {
    const std::lock_guard lock{state_->mutex};
    state_->closing = true;
    for (Worker& worker : workers_) {
      if (*worker.busy) {
        worker.thread.detach();
      } else {
        joinable.push_back(std::move(worker.thread));
      }
    }
  }
  state_->work.notify_all();
  for (std::thread& thread : joinable) thread.join();
}

}  // namespace asyncio::detail
