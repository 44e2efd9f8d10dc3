// AsyncResource: something that must be closed, and may have to wait to do so.
#pragma once

#include <asyncio/core/export.h>

namespace asyncio {

/// Held by std::shared_ptr and handed to AsyncResourceManager::add, it is closed with the scope it
/// was added in, at the latest.
class ASYNCIO_API ASYNCIO_API_STABLE AsyncResource {
 public:
  virtual ~AsyncResource();

  /// Closes it.  The manager calls it once, in a task, with cancels kept out; it may suspend.
  /// What it throws goes to the loop's exception handler.
  virtual void close() = 0;
  /// A closed resource is left alone.
  virtual bool is_closed() const noexcept = 0;
  /// Called before close() when the scope ends by cancellation: the chance to cut things short.
  virtual void on_cancellation() noexcept {}
};

}  // namespace asyncio
