#include <asyncio/concurrency/gather.h>

#include <utility>

#include <asyncio/concurrency/detail/joint_wait.h>

namespace asyncio::detail {

bool gather_wait(const std::vector<Awaited>& inputs, GatherStrategy strategy,
                 GatherReport& report) {
  if (inputs.empty()) return false;
  const bool fail_fast = strategy == GatherStrategy::fail_fast;
  JointEnd end =
      wait_jointly(inputs, fail_fast ? CancelRest::at_failure : CancelRest::never, "gather");
  if (end.failed.empty()) return false;
  if (strategy == GatherStrategy::return_partial) return true;
  report.inputs = describe_end(inputs, end, "gather");
  report.failed = std::move(end.failed);
  return true;
}

}  // namespace asyncio::detail
