// The one object of its kind in a process.
#pragma once

#include <atomic>
#include <memory>

namespace asyncio::detail {

/// Makes a T when it is first asked for, and never destroys it: threads may need it while statics
/// are destroyed.
///
/// Unlike a function-local static it has no guard.  That of a static stays locked for ever in a
/// child that is forked while another thread is in the initializer.  Here two threads may each make
/// one, and the second throws its own away.
/// Threads: any.
template <class T>
class Immortal {
 public:
  constexpr Immortal() noexcept = default;
  Immortal(const Immortal&) = delete;
  Immortal& operator=(const Immortal&) = delete;

  T& get() {
    T* const made = made_.load(std::memory_order_acquire);
    return made != nullptr ? *made : make();
  }

 private:
  T& make() {
    auto fresh = std::make_unique<T>();
    T* earlier = nullptr;
    if (made_.compare_exchange_strong(earlier, fresh.get())) return *fresh.release();
    return *earlier;
  }

  std::atomic<T*> made_{nullptr};
};

}  // namespace asyncio::detail
