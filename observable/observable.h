// Observable: the list of observers, one a process.
#pragma once

#include <memory>

#include <asyncio/core/export.h>
#include <asyncio/observable/observer.h>

namespace asyncio {

/// Off while it has no observer: every event then costs one load and one branch.
/// Threads: any.
class ASYNCIO_API Observable {
 public:
  static Observable& instance();

  /// Adding one twice is once.  It hears of the next event first, not of one that is being told.
  /// Throws: std::invalid_argument for null.
  void add_observer(std::shared_ptr<Observer> observer);
  /// False if it was not there.  On the thread that removes it, it hears no more, even of an event
  /// that is being told; a call in progress on another thread goes on.
  bool remove_observer(const std::shared_ptr<Observer>& observer);
  void clear_observers();
  /// Is anybody listening?
  bool is_enabled() const noexcept;

 private:
  Observable() = default;
};

}  // namespace asyncio
