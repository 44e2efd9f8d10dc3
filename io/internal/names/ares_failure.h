// What c-ares says when there is no answer.
#pragma once

#include <optional>

#include <asyncio/io/internal/names/found.h>

namespace asyncio::detail {

/// Throws: IoError, std::bad_alloc: a channel cannot be made.
[[noreturn]] void throw_ares_error(const char* call, int status);

/// Requires: `status` is not ARES_SUCCESS.
LookupFailure ares_failure(int status);

/// May the same question have an answer later?
bool is_temporary(const LookupFailure& failure) noexcept;

/// Of two names or families that were asked for: what to tell the user.
LookupFailure the_more_telling(const std::optional<LookupFailure>& earlier,
                               const LookupFailure& later);

}  // namespace asyncio::detail
