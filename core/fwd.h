// Names of the core module, for headers that only mention them.
#pragma once

namespace asyncio {

class AnyTask;
class CancellationScope;
class Cancelled;
class Error;
class EventLoop;
class EventLoopInterface;
class LoopHandle;
class TestClock;
template <class T>
class Future;
template <class T>
class Task;
struct ExceptionContext;
struct LoopOptions;
struct LoopStatistics;
struct RunOptions;
struct TaskOptions;
struct TimerId;

}  // namespace asyncio
