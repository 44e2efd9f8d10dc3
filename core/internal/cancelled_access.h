// Lets the library make a Cancelled, and look into one.
#pragma once

#include <memory>
#include <utility>

#include <asyncio/core/errors.h>

namespace asyncio::detail {

struct CancelledAccess {
  static Cancelled make(std::shared_ptr<const CancelCause> cause) noexcept {
    return Cancelled{std::move(cause)};
  }
  static std::shared_ptr<const CancelCause> cause(const Cancelled& cancelled) noexcept {
    return cancelled.cause_;
  }
};

}  // namespace asyncio::detail
