#include <asyncio/core/no_suspend.h>

#include <asyncio/core/task.h>

namespace asyncio {

NoSuspend::NoSuspend() : task_(current_task().control()) { ++task_.no_suspend; }
NoSuspend::~NoSuspend() { --task_.no_suspend; }

}  // namespace asyncio
