// Observer: the base class of what wants to hear of events.
#pragma once

#include <asyncio/core/export.h>
#include <asyncio/observable/events.h>

namespace asyncio {

/// Called on the loop's thread, at the moment of the event; must be quick and cannot suspend.  What
/// it throws goes to the loop's exception handler and disturbs nothing else.
class ASYNCIO_API ASYNCIO_API_STABLE Observer {
 public:
  virtual ~Observer();
  /// Terminal events come before the tasks that await this one wake.
  virtual void on_task_event(const TaskEvent& event);
  virtual void on_scope_event(const ScopeEvent& event);
  virtual void on_resource_event(const ResourceEvent& event);
};

}  // namespace asyncio
