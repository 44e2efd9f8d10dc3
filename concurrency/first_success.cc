#include <asyncio/concurrency/first_success.h>

#include <stdexcept>

#include <asyncio/concurrency/detail/joint_wait.h>

namespace asyncio::detail {

std::size_t wait_for_success(const std::vector<Awaited>& inputs) {
  if (inputs.empty()) {
    throw std::invalid_argument(
        "first_success of nothing can never succeed: pass at least one task");
  }
  const JointEnd end = wait_jointly(inputs, CancelRest::at_success, "first_success");
  auto report = describe_end(inputs, end, "first_success");  // also looks at every failure
  if (!end.first_success) throw GatherException(std::move(report), end.failed, "first_success");
  return *end.first_success;
}

}  // namespace asyncio::detail
