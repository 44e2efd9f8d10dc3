// What observers are told.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/task.h>
#include <asyncio/core/time.h>

namespace asyncio {

class AsyncResource;

struct TaskEvent {
  enum class Type : std::uint8_t { created, started, completed, failed, cancelled };
  Type type;
  AnyTask task;
  std::exception_ptr exception;  ///< the failure of a failed task, else null
  TimePoint time;
};

struct ScopeEvent {
  enum class Type : std::uint8_t { entered, cancelled, left };
  Type type;
  std::string name;
  TimePoint time;
};

struct ResourceEvent {
  enum class Type : std::uint8_t { added, closed, failed };
  Type type;
  const AsyncResource* resource;  ///< valid during the call
  std::exception_ptr exception;   ///< the failure of a failed close, else null
  TimePoint time;
};

}  // namespace asyncio
