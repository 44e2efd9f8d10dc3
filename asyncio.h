// Everything a program needs, in one header: <asyncio/asyncio.h>.
//
// Not included: the test clock.  The library itself never includes this file.
#pragma once

#include <asyncio/backends/any_loop.h>
#include <asyncio/concurrency/barrier.h>
#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/concurrency/condition.h>
#include <asyncio/concurrency/event.h>
#include <asyncio/concurrency/future.h>
#include <asyncio/concurrency/gather.h>
#include <asyncio/concurrency/gather_strategy.h>
#include <asyncio/concurrency/mutex.h>
#include <asyncio/concurrency/queue.h>
#include <asyncio/concurrency/rw_lock.h>
#include <asyncio/concurrency/semaphore.h>
#include <asyncio/concurrency/task_group.h>
#include <asyncio/concurrency/timeout.h>
#include <asyncio/concurrency/wait.h>
#include <asyncio/concurrency/wait_for.h>
#include <asyncio/core/attach_options.h>
#include <asyncio/core/backend_registry.h>
#include <asyncio/core/checkpoint.h>
#include <asyncio/core/descriptors.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/exception_group.h>
#include <asyncio/core/export.h>
#include <asyncio/core/fwd.h>
#include <asyncio/core/no_suspend.h>
#include <asyncio/core/run.h>
#include <asyncio/core/signals.h>
#include <asyncio/core/sleep.h>
#include <asyncio/core/task.h>
#include <asyncio/core/task_state.h>
#include <asyncio/core/thread.h>
#include <asyncio/core/time.h>
#include <asyncio/core/timer_id.h>
#include <asyncio/core/unique_function.h>
#include <asyncio/observable/counting_observer.h>
#include <asyncio/observable/events.h>
#include <asyncio/observable/observable.h>
#include <asyncio/observable/observer.h>
#include <asyncio/resource/async_resource.h>
#include <asyncio/resource/async_resource_manager.h>
#include <asyncio/resource/context.h>
