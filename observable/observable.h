// Observable: the list of observers, one per process.
#pragma once

#include <memory>

#include <asyncio/core/export.h>
#include <asyncio/observable/observer.h>

namespace asyncio {

/// It is off while it has no observer: every event then costs one load and one branch.
/// Threads: any.
class ASYNCIO_API Observable {
 public:
  static Observable& instance();

  /// Adds an observer; adding it twice is the same as once.  It hears of events from the next one
  /// on, not of one that is being reported.
  /// Throws: std::invalid_argument for null.
  void add_observer(std::shared_ptr<Observer> observer);
  /// Returns false if it was not there.  On the removing thread it hears no more, not even of an
  /// event that is being reported; a call in progress on another thread goes on.
  bool remove_observer(const std::shared_ptr<Observer>& observer);
  void clear_observers();
  /// Is anybody listening?
  bool is_enabled() const noexcept;

 private:
  Observable() = default;
};

}  // namespace asyncio
