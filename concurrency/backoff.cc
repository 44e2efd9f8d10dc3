#include <asyncio/concurrency/backoff.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

#include <asyncio/core/sleep.h>

namespace asyncio {
namespace {

const BackoffOptions& checked(const BackoffOptions& options) {
  if (options.first <= Duration::zero() || options.most < options.first) {
    throw std::invalid_argument(
        "Backoff: delays must grow from `first` to `most`; pass 0 < first <= most");
  }
  if (!(options.factor >= 1)) {
    throw std::invalid_argument("Backoff: a factor of " + std::to_string(options.factor) +
                                " would shorten delays; pass 1 or more");
  }
  return options;
}

const RetryBudgetOptions& checked(const RetryBudgetOptions& options) {
  if (!(options.ratio >= 0) || !(options.reserve >= 0) || !(options.most >= options.reserve)) {
    throw std::invalid_argument("RetryBudget: pass ratio >= 0 and 0 <= reserve <= most");
  }
  return options;
}

std::array<unsigned short, 3> seeded(std::optional<std::uint64_t> seed) {
  std::random_device device;
  const std::uint64_t bits = seed ? *seed : (std::uint64_t{device()} << 16) ^ device();
  return {static_cast<unsigned short>(bits), static_cast<unsigned short>(bits >> 16),
          static_cast<unsigned short>(bits >> 32)};
}

}  // namespace

Backoff::Backoff(const BackoffOptions& options)
    : options_(checked(options)), ceiling_(options.first), random_(seeded(options.seed)) {}

Duration Backoff::next() {
  ++attempts_;
  const Duration ceiling = ceiling_;
  // In floating point, which a large factor cannot overflow.
  const double grown = static_cast<double>(ceiling.count()) * options_.factor;
  ceiling_ = grown < static_cast<double>(options_.most.count())
                 ? Duration{static_cast<Duration::rep>(grown)}
                 : options_.most;
  const double share = ::erand48(random_.data());
  return Duration{static_cast<Duration::rep>(share * static_cast<double>(ceiling.count()))};
}

void Backoff::wait() { sleep(next()); }

void Backoff::reset() noexcept {
  attempts_ = 0;
  ceiling_ = options_.first;
}

RetryBudget::RetryBudget(const RetryBudgetOptions& options)
    : options_(checked(options)), left_(options.reserve) {}

void RetryBudget::on_attempt() noexcept { left_ = std::min(options_.most, left_ + options_.ratio); }

bool RetryBudget::try_retry() noexcept {
  // What ten tenths add up to may be a little less than one.
  constexpr double almost_one = 1 - 1e-9;
  if (left_ < almost_one) {
    ++refused_;
    return false;
  }
  left_ = std::max(0.0, left_ - 1);
  ++retried_;
  return true;
}

}  // namespace asyncio
