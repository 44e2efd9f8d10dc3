// The five states of a task and the only transitions between them.
#pragma once

#include <cstdint>
#include <string_view>

#include <asyncio/core/export.h>

namespace asyncio {

/// pending → running → completed | failed | cancelled, and pending → cancelled.
/// A task that has suspended is still running; Task::wait_reason() says what it waits for.
enum class ASYNCIO_API_STABLE TaskState : std::uint8_t {
  pending,    ///< created, its body has not begun
  running,    ///< its body has begun and not ended
  completed,  ///< the body returned
  failed,     ///< the body ended with an exception of its own
  cancelled,  ///< the body was unwound by a cancellation, or never began
};

/// Has the task ended?
constexpr bool is_terminal(TaskState state) noexcept { return state >= TaskState::completed; }
/// Did the body return?
constexpr bool is_success(TaskState state) noexcept { return state == TaskState::completed; }
/// Did the body end with an exception of its own?  A cancelled task did not fail.
constexpr bool is_failure(TaskState state) noexcept { return state == TaskState::failed; }
/// Was the body unwound by a cancellation?
constexpr bool is_cancelled(TaskState state) noexcept { return state == TaskState::cancelled; }

/// Is `from` → `to` one of the arrows above?  A state never leads to itself.
constexpr bool can_transition(TaskState from, TaskState to) noexcept {
  switch (from) {
    case TaskState::pending:
      return to == TaskState::running || to == TaskState::cancelled;
    case TaskState::running:
      return is_terminal(to);
    default:
      return false;
  }
}

/// The enumerator's name, in lower case.
constexpr std::string_view to_string(TaskState state) noexcept {
  switch (state) {
    case TaskState::pending:
      return "pending";
    case TaskState::running:
      return "running";
    case TaskState::completed:
      return "completed";
    case TaskState::failed:
      return "failed";
    case TaskState::cancelled:
      return "cancelled";
  }
  return "?";
}

}  // namespace asyncio
