// Waiting for several tasks and futures as one: until all have ended, or have been made to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <asyncio/concurrency/detail/awaited.h>
#include <asyncio/core/exception_group.h>

namespace asyncio::detail {

/// Which end of one input makes the others end, too.
enum class CancelRest : std::uint8_t { never, at_failure, at_success };

/// How the inputs ended.  Places are those of the first input that names a task.
struct JointEnd {
  std::vector<std::size_t> failed;  ///< and cancelled ones, in the order they ended
  std::optional<std::size_t> first_success;
  std::vector<std::size_t> given_up;  ///< of the failed: futures that were not waited for
};

/// Waits until every input has ended.  To make the rest end, it cancels tasks and joins them, and
/// waits no longer for futures, which stay as they are.  `call` names the caller.
/// Suspends: unless every input has ended.
/// Cancels: the rest is made to end, then Cancelled goes on.
/// Throws: DeadlockError; InvalidStateError for an input of another loop; NotInTaskError.
JointEnd wait_jointly(const std::vector<Awaited>& inputs, CancelRest when, const char* call);

/// What became of each input, for a GatherException.  Results are not filled in.
std::vector<GatherException::Input> describe_end(const std::vector<Awaited>& inputs,
                                                 const JointEnd& end, const char* call);

}  // namespace asyncio::detail
