// AsyncResourceManager: closes what a scope holds when the scope ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/export.h>
#include <asyncio/resource/async_resource.h>

namespace asyncio {

/// Counters of this thread's resources since it began.
struct ResourceStats {
  std::uint64_t added = 0;
  std::uint64_t removed = 0;  ///< taken out again while open
  std::uint64_t closed = 0;
  std::uint64_t failed = 0;  ///< close() threw
  std::size_t open = 0;      ///< held by scopes; for a while also some that were closed by hand
};

/// Resources belong to the scope that is current when they are added.  When it ends and its tasks
/// are joined, they are closed, last added first.  If it ends by cancellation, on_cancellation()
/// comes before each close().  A failing close() does not stop the others.
///
/// Each close() runs in a shielded scope of its own: no cancel from outside reaches it, timeouts
/// inside it work, and tasks it leaves behind are cancelled and joined when it has returned.
///
/// A resource that is closed by hand has left its scope.  The scope lets go of it when others are
/// added, before such ones are as many as those that are open.
///
/// Threads: the loop's thread.
class ASYNCIO_API ASYNCIO_API_STABLE AsyncResourceManager {
 public:
  /// Hands a resource over to the current scope.
  /// Suspends: never.
  /// Throws: std::invalid_argument for null; NotInTaskError outside a task; InvalidStateError if a
  /// scope of this thread holds it already, or it is being closed.
  static void add(std::shared_ptr<AsyncResource> resource);

  /// Takes a resource, still open, out of the scope of this thread that holds it.  Returns false if
  /// none does.
  static bool remove(const std::shared_ptr<AsyncResource>& resource);

  /// Closes now what `scope` holds, and returns how many were closed.  If the scope ends meanwhile,
  /// it waits for this.
  /// Suspends: as the resources do, with cancels kept out.
  /// Throws: NotInTaskError.
  static std::size_t close_scope(CancellationScope& scope);

  /// Returns how many open resources `scope` holds.
  static std::size_t resource_count(const CancellationScope& scope);
  static ResourceStats stats();
  /// Resources that lost their scope and are still open: their close() failed, or their scope was
  /// lost with a task that had to be abandoned.
  static std::vector<std::shared_ptr<AsyncResource>> detect_leaks();
};

}  // namespace asyncio
