// CountingObserver: how many of each event there were.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <asyncio/core/export.h>
#include <asyncio/observable/observer.h>

namespace asyncio {

/// A ready-made observer.
/// Threads: any may read the counts.
class ASYNCIO_API CountingObserver : public Observer {
 public:
  void on_task_event(const TaskEvent& event) override { count(tasks_, event.type); }
  void on_scope_event(const ScopeEvent& event) override { count(scopes_, event.type); }
  void on_resource_event(const ResourceEvent& event) override { count(resources_, event.type); }

  std::uint64_t count(TaskEvent::Type type) const noexcept { return value(tasks_, type); }
  std::uint64_t count(ScopeEvent::Type type) const noexcept { return value(scopes_, type); }
  std::uint64_t count(ResourceEvent::Type type) const noexcept { return value(resources_, type); }

 private:
  template <std::size_t N>
  using Counters = std::array<std::atomic<std::uint64_t>, N>;

  template <std::size_t N, class Type>
  static void count(Counters<N>& counters, Type type) noexcept {
    counters[static_cast<std::size_t>(type)].fetch_add(1, std::memory_order_relaxed);
  }
  template <std::size_t N, class Type>
  static std::uint64_t value(const Counters<N>& counters, Type type) noexcept {
    return counters[static_cast<std::size_t>(type)].load(std::memory_order_relaxed);
  }

  Counters<5> tasks_{};
  Counters<3> scopes_{};
  Counters<3> resources_{};
};

}  // namespace asyncio
