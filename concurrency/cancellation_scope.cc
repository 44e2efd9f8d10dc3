#include <asyncio/concurrency/cancellation_scope.h>

#include <algorithm>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio {
namespace detail {

Loop& loop_or_throw(const char* call) {
  Loop* loop = Loop::current();
  if (loop == nullptr) {
    throw NoRunningLoopError(std::string{call} +
                             " where no loop runs: call it inside asyncio::run(...)");
  }
  return *loop;
}

namespace {

// Before a scope is entered its deadline field holds what was asked for, and the epoch nothing.
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
      owned_(std::make_unique<detail::Scope>(detail::loop_or_throw("CancellationScope"))),
      timeout_(options.timeout) {
  scope_ = owned_.get();
  scope_->face = this;
  detail::configure_scope(*scope_, options);
}

CancellationScope::~CancellationScope() {
  if (owned_ != nullptr) owned_->face = nullptr;
}

CancellationScope* CancellationScope::current() {
  detail::Loop* loop = detail::Loop::current();
  if (loop == nullptr) return nullptr;
  detail::TaskControl* self = loop->current_task();
  return detail::face_of(self == nullptr ? loop->root() : self->scope->owner());
}

void CancellationScope::begin(const char* call) {
  detail::TaskControl& self = detail::enter_shielded_wait(call);
  if (scope_->entered) {
    throw InvalidStateError(std::string{call} + ": scope '" + scope_->name +
                            "' has been entered before; make a new one for each region");
  }
  if (self.loop != &scope_->loop) {
    throw InvalidStateError(std::string{call} + ": scope '" + scope_->name +
                            "' belongs to another loop");
  }
  scope_->face = this;
  inside_ = &self;
  scope_->enter(self);
  outer_uncaught_base_ = self.uncaught_base;
  if (scope_->shield) self.uncaught_base = self.loop->uncaught();
  TimePoint deadline =
      scope_->deadline.deadline == TimePoint{} ? TimePoint::max() : scope_->deadline.deadline;
  if (timeout_) {
    deadline = std::min(deadline, deadline_after(self.loop->reactor().now(), *timeout_));
  }
  scope_->set_deadline(deadline);
}

bool CancellationScope::finish(bool unwinding) {
  detail::TaskControl& self = *inside_;
  scope_->leave(self);
  self.uncaught_base = outer_uncaught_base_;
  if (owned_ == nullptr) scope_->face = nullptr;  // it is on the stack, as the scope is
  if (!unwinding || !scope_->absorbs()) return false;
  scope_->caught = true;
  self.swallowed = 0;  // it ends here, as it should
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
