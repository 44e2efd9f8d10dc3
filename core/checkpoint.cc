#include <asyncio/core/checkpoint.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {

// One frame, so that the switch at its end goes straight back to whoever had called.
void yield() {
  detail::TaskControl& self = lowlevel::enter("yield").control();
  self.scheduler->yield(self);
}

void checkpoint() { lowlevel::enter("checkpoint").spend(); }

bool is_cancelled() {
  const detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError(
        "is_cancelled() must be called from a task; a handle tells by task.state()");
  }
  if (!self->cancel_pending) detail::expire_deadlines_around(*self->scope);
  return self->cancel_pending;
}

}  // namespace asyncio
