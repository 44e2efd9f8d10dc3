// The hooks through which the observable module hears of tasks, scopes and resources.  The modules
// that report to them know nothing else of observation.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

#include <asyncio/core/export.h>

namespace asyncio {
class AsyncResource;
}

namespace asyncio::detail {

class TaskControl;
struct Scope;

enum class TaskMoment : std::uint8_t { created, started, completed, failed, cancelled };
enum class ScopeMoment : std::uint8_t { entered, cancelled, left };
enum class ResourceMoment : std::uint8_t { added, closed, failed };

/// Null while nobody listens: then each moment costs one load and one predictable branch.
struct ObservationHooks {
  void (*task)(TaskControl& task, TaskMoment moment) noexcept;
  void (*scope)(const Scope& scope, ScopeMoment moment) noexcept;
  void (*resource)(const AsyncResource& resource, ResourceMoment moment,
                   const std::exception_ptr& exception) noexcept;
};
ASYNCIO_API extern std::atomic<const ObservationHooks*> observation_hooks;

inline const ObservationHooks* observers() noexcept {
  return observation_hooks.load(std::memory_order_acquire);
}

[[gnu::always_inline]] inline void tell_of_task(TaskControl& task, TaskMoment moment) noexcept {
  if (const auto* hooks = observers(); hooks != nullptr) [[unlikely]]
    hooks->task(task, moment);
}
inline void tell_of_scope(const Scope& scope, ScopeMoment moment) noexcept {
  if (const auto* hooks = observers(); hooks != nullptr) [[unlikely]]
    hooks->scope(scope, moment);
}
inline void tell_of_resource(const AsyncResource& resource, ResourceMoment moment,
                             const std::exception_ptr& exception = nullptr) noexcept {
  if (const auto* hooks = observers(); hooks != nullptr) [[unlikely]] {
    hooks->resource(resource, moment, exception);
  }
}

}  // namespace asyncio::detail
