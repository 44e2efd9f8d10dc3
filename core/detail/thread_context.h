// The context of code that a task has sent to another thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/export.h>

namespace asyncio::detail {

/// While one is alive, its thread has this context, as a task has one.
class ASYNCIO_API ThreadContext {
 public:
  /// `unique_id` is unique among tasks.
  ThreadContext(std::shared_ptr<ContextBase> inherited, std::uint64_t unique_id) noexcept;
  ~ThreadContext();
  ThreadContext(const ThreadContext&) = delete;
  ThreadContext& operator=(const ThreadContext&) = delete;

  /// That of this thread, or null.
  static ThreadContext* current() noexcept;

  std::shared_ptr<ContextBase> context;
  const std::uint64_t id;
};

}  // namespace asyncio::detail
