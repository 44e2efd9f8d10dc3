#include <asyncio/concurrency/cancellation_scope.h>

#include <algorithm>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>

namespace asyncio {
namespace detail {

namespace {

// Before a scope is entered, its deadline field holds the deadline asked for; the epoch means none.
TimePoint past_epoch(TimePoint when) noexcept { return std::max(when, TimePoint{Duration{1}}); }

}  // namespace

void configure_scope(Scope& scope, ScopeOptions& options) {
  scope.name = std::move(options.name);
  scope.shield = options.shield;
  if (options.deadline) scope.deadline.deadline = past_epoch(*options.deadline);
}

CancellationScope* face_of(Scope& scope) {
  if (scope.face == nullptr) {
    scope.face = new CancellationScope{scope};
    scope.destroy_face = [](CancellationScope* face) { delete face; };
  }
  return scope.face;
}

}  // namespace detail

CancellationScope::CancellationScope(ScopeOptions options)
    : scope_(nullptr),
      owned_(
          std::make_unique<detail::Scope>(detail::running_scheduler_or_throw("CancellationScope"))),
      timeout_(options.timeout) {
  scope_ = owned_.get();
  scope_->face = this;
  detail::configure_scope(*scope_, options);
}

CancellationScope::~CancellationScope() {
  if (owned_ != nullptr) owned_->face = nullptr;
}

std::optional<TimePoint> current_effective_deadline() {
  const detail::TaskControl& self = lowlevel::current("current_effective_deadline").control();
  if (self.cancel_pending) return TimePoint::min();
  TimePoint earliest = TimePoint::max();
  for (const detail::ScopeNode* node = self.scope; node != nullptr; node = node->parent) {
    if (!node->is_task) {
      const detail::ScopeTimer& deadline = static_cast<const detail::Scope*>(node)->deadline;
      if (deadline.armed()) earliest = std::min(earliest, deadline.deadline);
    }
    if (node->shield) break;
  }
  return earliest == TimePoint::max() ? std::nullopt : std::optional{earliest};
}

CancellationScope* CancellationScope::current() {
  detail::Scope* const owner = detail::current_owner_scope();
  return owner == nullptr ? nullptr : detail::face_of(*owner);
}

void CancellationScope::begin(const char* call) {
  detail::TaskControl& self = lowlevel::enter_shielded(call).control();
  if (scope_->entered) {
    throw InvalidStateError(std::string{call} + ": scope '" + scope_->name +
                            "' was entered before; make a new one for each region");
  }
  if (self.scheduler != &scope_->scheduler) {
    throw InvalidStateError(std::string{call} + ": scope '" + scope_->name +
                            "' belongs to another event loop");
  }
  scope_->face = this;
  inside_ = &self;
  scope_->enter(self);
  outer_uncaught_base_ = self.uncaught_base;
  if (scope_->shield) self.uncaught_base = detail::exceptions_in_flight();
  TimePoint deadline =
      scope_->deadline.deadline == TimePoint{} ? TimePoint::max() : scope_->deadline.deadline;
  if (timeout_) {
    deadline = std::min(deadline, deadline_after(lowlevel::now(call), *timeout_));
  }
  scope_->set_deadline(deadline);
}

bool CancellationScope::finish(bool unwinding) {
  detail::TaskControl& self = *inside_;
  scope_->leave(self);
  self.uncaught_base = outer_uncaught_base_;
  if (owned_ == nullptr) scope_->face = nullptr;  // it is on the stack, like the scope
  if (!unwinding || !scope_->absorbs()) return false;
  scope_->caught = true;
  self.swallowed = 0;  // the cancel ends here, as it should
  self.swallow_reported = false;
  return true;
}

void CancellationScope::throw_absorbed() const {
  const std::string who = scope_->name.empty() ? "the scope" : "scope '" + scope_->name + "'";
  if (scope_->deadline_hit) throw TimeoutException(who + " ran past its deadline");
  std::string message = who + " was cancelled";
  if (!scope_->cause->text.empty()) message += ": " + scope_->cause->text;
  throw TaskCancelledException(message, scope_->cause);
}

void CancellationScope::cancel(std::string_view reason) {
  if (!scope_->ended) detail::cancel_node(*scope_, CancelReason::user, std::string{reason});
}

std::optional<TimePoint> CancellationScope::deadline() const noexcept {
  const TimePoint when = scope_->deadline.deadline;
  return when == TimePoint{} || when == TimePoint::max() ? std::nullopt : std::optional{when};
}

void CancellationScope::set_deadline(std::optional<TimePoint> when) {
  timeout_.reset();
  if (scope_->entered) {
    scope_->set_deadline(when.value_or(TimePoint::max()));
  } else {
    scope_->deadline.deadline = detail::past_epoch(when.value_or(TimePoint::max()));
  }
}

std::vector<AnyTask> CancellationScope::tasks() const {
  std::vector<AnyTask> handles;
  scope_->children.for_each([&](detail::ScopeNode& node) {
    if (node.is_task) handles.emplace_back(detail::TaskRef::share(*node.task));
  });
  return handles;
}

}  // namespace asyncio
