#include <asyncio/io/internal/race.h>

#include <algorithm>
#include <cerrno>

#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

constexpr const char* race_call = "TcpStream::connect";

// A name may have thousands of addresses, none of which answers.
constexpr std::size_t most_under_way = 16;

constexpr lowlevel::WaitQueue::Kind race_kind{"connection to one of several addresses"};

}  // namespace

Race::Race(std::uint16_t port, Rules rules, Dial dial, Find find)
    : port_(port), rules_(rules), dial_(std::move(dial)), find_(std::move(find)) {}

std::optional<Socket> Race::run(lowlevel::CurrentTask self) {
  TaskGroup tasks;  // ends, with this call, what is still under way
  tasks.spawn([this] { look_for_addresses(); }, "find addresses");
  while (!winner_ && failure_ == nullptr) {
    const std::optional<TimePoint> start_at = next_start();
    const TimePoint now = lowlevel::now(race_call);
    if (start_at && *start_at <= now) {
      start(tasks, now);
    } else if (!start_at && under_way_ == 0 && !is_searching_) {
      break;
    } else {
      lowlevel::WaitQueue::Place place{race_kind};
      if (start_at) {
        changed_.wait_until(self, place, *start_at);
      } else {
        changed_.wait(self, place);
      }
    }
  }
  if (winner_) return std::move(winner_);
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  if (attempts_.empty()) std::rethrow_exception(search_failure_);
  return std::nullopt;
}

// ---- Which comes next, and when -----------------------------------------------------------------

bool Race::was_tried(const IpAddress& address) const {
  return std::ranges::any_of(attempts_,
                             [&](const Attempt& one) { return one.to.address() == address; });
}

const IpAddress* Race::next_address() const {
  const IpAddress* other = nullptr;
  for (const IpAddress& address : found_.addresses) {
    if (was_tried(address)) continue;
    const bool takes_turn =
        attempts_.empty() || address.is_v6() != attempts_.back().to.address().is_v6();
    if (takes_turn) return &address;
    if (other == nullptr) other = &address;
  }
  return other;
}

std::optional<TimePoint> Race::next_start() const {
  if (under_way_ == most_under_way || next_address() == nullptr) return std::nullopt;
  if (attempts_.empty()) {
    return found_.awaits_v6 ? deadline_after(*first_found_, rules_.resolution_delay)
                            : *first_found_;
  }
  return may_hurry_ || under_way_ == 0 ? last_start_
                                       : deadline_after(last_start_, rules_.attempt_delay);
}

// ---- The tasks ----------------------------------------------------------------------------------

void Race::start(TaskGroup& tasks, TimePoint now) {
  const std::size_t number = attempts_.size();
  // What becomes of it unless it ends before the race.
  attempts_.push_back({{*next_address(), port_}, error_code_of(ECANCELED)});
  ++under_way_;
  last_start_ = now;
  may_hurry_ = false;
  tasks.spawn([this, number] { attempt(number); }, "connect");
}

void Race::take_news(const Found& found) {
  found_ = found;
  if (!found_.addresses.empty() && !first_found_) first_found_ = lowlevel::now(race_call);
  changed_.wake_all();
}

void Race::look_for_addresses() {
  try {
    find_([this](const Found& found) { take_news(found); });
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    search_failure_ = std::current_exception();
  }
  is_searching_ = found_.awaits_v6 = found_.awaits_v4 = false;
  changed_.wake_all();
}

void Race::attempt(std::size_t number) {
  try {
    const Endpoint to = attempts_[number].to;  // a copy: others begin meanwhile
    Dialled dialled = dial_(to);
    if (dialled.code) {
      attempts_[number].code = dialled.code;
      may_hurry_ = true;
    } else if (!winner_) {
      attempts_[number].code.clear();
      winner_ = std::move(dialled.socket);
    }
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    failure_ = std::current_exception();
  }
  --under_way_;
  changed_.wake_all();
}

}  // namespace asyncio::detail
