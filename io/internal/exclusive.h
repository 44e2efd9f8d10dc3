// One task at a time, where memory is at stake that another would move.
#pragma once

#include <string>

#include <asyncio/core/errors.h>

namespace asyncio::detail {

/// While one is alive, the next one of the same flag is refused.
class Exclusive {
 public:
  /// Throws: BusyError, which names `call`.
  Exclusive(bool& busy, const char* call) : busy_(busy) {
    if (busy) {
      throw BusyError(std::string{call} +
                      ": another task is at work in this buffer; give one task the reading and "
                      "one the writing");
    }
    busy = true;
  }
  ~Exclusive() { busy_ = false; }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  bool& busy_;
};

}  // namespace asyncio::detail
