// Observer: who wants to be told.
#pragma once

#include <asyncio/core/export.h>
#include <asyncio/observable/events.h>

namespace asyncio {

/// Called on the loop's thread, inside whatever happens; must be quick and cannot suspend.  What it
/// throws goes to the loop's exception handler and disturbs nothing else.
class ASYNCIO_API ASYNCIO_API_STABLE Observer {
 public:
  virtual ~Observer();
  /// Terminal events come before whoever awaits the task wakes.
  virtual void on_task_event(const TaskEvent& event);
  virtual void on_scope_event(const ScopeEvent& event);
  virtual void on_resource_event(const ResourceEvent& event);
};

}  // namespace asyncio
