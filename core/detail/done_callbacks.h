// Callbacks that wait for something to end.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

/// In the order of adding, each with an id by which it can be taken out again.
class DoneCallbacks {
 public:
  /// Returns the id, which is not 0.
  std::uint64_t add(UniqueFunction<void()> callback) {
    waiting_.emplace(last_id_ + 1, std::move(callback));
    return ++last_id_;
  }
  /// Returns the callback, or an empty one if there is none with this id.  The caller destroys it,
  /// now that everything is in order: what it owns may call back.
  UniqueFunction<void()> take(std::uint64_t id) {
    auto found = waiting_.extract(id);
    return found.empty() ? UniqueFunction<void()>{} : std::move(found.mapped());
  }
  /// Hands all of them over, in order.
  template <class F>
  void take_all(F&& receive) {
    for (auto& [id, callback] : std::exchange(waiting_, {})) receive(std::move(callback));
  }

 private:
  std::map<std::uint64_t, UniqueFunction<void()>> waiting_;
  std::uint64_t last_id_ = 0;
};

}  // namespace asyncio::detail
