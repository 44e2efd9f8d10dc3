// Whether anybody but the loop's thread is there to wake a task.
#pragma once

#include <cstddef>

namespace asyncio::detail {

/// Does this process have threads besides this one and `known` others?  Also true if that cannot be
/// found out.
bool has_other_threads(std::size_t known) noexcept;

}  // namespace asyncio::detail
