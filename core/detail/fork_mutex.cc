#include <asyncio/core/detail/fork_mutex.h>

#include <pthread.h>

namespace asyncio::detail {
namespace {

constinit std::mutex list_mutex;
constinit ForkMutex* first = nullptr;

}  // namespace

struct ForkMutex::Forking {
  static void prepare() {
    list_mutex.lock();
    for (ForkMutex* each = first; each != nullptr; each = each->next_) each->mutex_.lock();
  }
  static void done() {
    for (ForkMutex* each = first; each != nullptr; each = each->next_) each->mutex_.unlock();
    list_mutex.unlock();
  }
  static inline const int watched = ::pthread_atfork(&prepare, &done, &done);
};

void ForkMutex::enlist() {
  static_cast<void>(Forking::watched);
  const std::lock_guard lock{list_mutex};
  if (listed_.load(std::memory_order_relaxed)) return;
  next_ = first;
  if (first != nullptr) first->previous_ = this;
  first = this;
  listed_.store(true, std::memory_order_release);
}

void ForkMutex::unlist() noexcept {
  if (!listed_.load()) return;
  const std::lock_guard lock{list_mutex};
  (previous_ == nullptr ? first : previous_->next_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

}  // namespace asyncio::detail
