// CancellationScope: a region of a task that can be cancelled, given a deadline, or shielded.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/detail/scope.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>
#include <asyncio/core/time.h>

namespace asyncio {

/// How a scope is made.
struct ScopeOptions {
  std::optional<Duration> timeout = {};    ///< from the moment the scope is entered
  std::optional<TimePoint> deadline = {};  ///< with a timeout too: whichever is earlier
  bool shield = false;                     ///< cancels from outside are not seen inside
  std::string name = {};
};

/// A region of a task.  Tasks created inside belong to it: those still alive when it ends are
/// cancelled and joined.
///
/// Cancelling a scope (by cancel(), by its deadline, or with an enclosing one) makes every
/// suspending call inside throw Cancelled, again and again, until the region has been left.  The
/// outermost cancelled scope absorbs the unwind at its edge; what the caller sees then depends on
/// how it was entered: run() throws, try_run() and enter() move on.
///
/// Threads: the loop's thread.
class ASYNCIO_API ASYNCIO_API_STABLE CancellationScope {
 public:
  /// Makes a scope to be entered later: it may be cancelled before, and asked about afterwards.
  /// Throws: NoRunningLoopError.
  explicit CancellationScope(ScopeOptions options = {});
  ~CancellationScope();
  CancellationScope(const CancellationScope&) = delete;
  CancellationScope& operator=(const CancellationScope&) = delete;

  /// Runs `body`, which may take the scope as its argument, and returns its result.
  /// Suspends: only to join tasks left inside.
  /// Throws: what the body threw; TimeoutException if the scope's deadline ended it;
  /// TaskCancelledException if its cancel() did; NotInTaskError.
  /// Cost: no allocation.
  template <class F>
  static auto run(F&& body, ScopeOptions options = {});

  /// As run(), but a body ended by this scope's own cancel or deadline is no error.  Returns
  /// nullopt then (false for a body without a result).
  template <class F>
  static auto try_run(F&& body, ScopeOptions options = {});

  /// As try_run(), for a scope that is an object.
  /// Throws: InvalidStateError if it has been entered before.
  template <class F>
  auto enter(F&& body);

  /// Returns the innermost scope of the current task, the loop's root outside a task, and null
  /// where no loop runs.
  static CancellationScope* current();

  /// Cancels everything inside.  Idempotent: the first reason stays.
  /// Suspends: never; runs no user code.
  void cancel(std::string_view reason = {});
  /// Was this scope itself cancelled, by cancel() or its deadline?
  bool cancel_called() const noexcept { return scope_->cancel_called; }
  /// Is code inside being cancelled, from here or from an enclosing scope?
  bool is_cancelled() const noexcept { return scope_->effective; }
  /// Did this scope absorb an unwind?
  bool cancelled_caught() const noexcept { return scope_->caught; }
  /// Has its deadline cancelled it?
  bool expired() const noexcept { return scope_->deadline_hit; }

  /// The deadline, or nullopt for never.
  std::optional<TimePoint> deadline() const noexcept;
  /// Moves the deadline; nullopt means never.  A deadline that has passed cancels at once.
  void set_deadline(std::optional<TimePoint> when);

  bool shield() const noexcept { return scope_->shield; }
  /// Switching it off delivers what has been kept out, even to a wait in progress.
  void set_shield(bool shield) noexcept { scope_->set_shield(shield); }

  /// The living tasks it owns, oldest first.
  std::vector<AnyTask> tasks() const;
  const std::string& name() const noexcept { return scope_->name; }

  /// For the library.
  explicit CancellationScope(detail::Scope& borrowed) noexcept : scope_(&borrowed) {}
  detail::Scope& impl() const noexcept { return *scope_; }

 private:
  template <class F, class Store>
  static bool drive(CancellationScope& face, F& body, Store&& store);
  void begin(const char* call);
  /// Leaves the scope.  Returns true if the unwinding ends here.
  bool finish(bool unwinding);
  [[noreturn]] void throw_absorbed() const;

  detail::Scope* scope_;
  std::unique_ptr<detail::Scope> owned_;
  std::optional<Duration> timeout_;
  detail::TaskControl* inside_ = nullptr;
  std::uint32_t outer_uncaught_base_ = 0;
};

/// Returns when the current task will be cancelled at the latest: the earliest deadline of the
/// scopes around it, as far as no shield keeps it out.  nullopt means never; TimePoint::min() means
/// that it is being cancelled already.  The limit of a wait_for() is not the task's own deadline
/// and does not count.
/// Throws: NotInTaskError.
/// Cost: O(scopes around it).
ASYNCIO_API std::optional<TimePoint> current_effective_deadline();

namespace detail {

template <class F>
decltype(auto) call_with_scope(F& body, CancellationScope& scope) {
  if constexpr (std::is_invocable_v<F&, CancellationScope&>) {
    return std::invoke(body, scope);
  } else {
    return std::invoke(body);
  }
}
template <class F>
using ScopeResult =
    decltype(call_with_scope(std::declval<F&>(), std::declval<CancellationScope&>()));

/// Applies options to a scope that has not been entered.
ASYNCIO_API void configure_scope(Scope& scope, ScopeOptions& options);
/// Returns the public face of a scope, made when first asked for.
ASYNCIO_API CancellationScope* face_of(Scope& scope);

}  // namespace detail

template <class F, class Store>
bool CancellationScope::drive(CancellationScope& face, F& body, Store&& store) {
  try {
    store([&]() -> decltype(auto) { return detail::call_with_scope(body, face); });
  } catch (const Cancelled&) {
    if (face.finish(true)) return false;
    throw;
  } catch (...) {
    face.finish(false);
    throw;
  }
  face.finish(false);
  return true;
}

template <class F>
auto CancellationScope::run(F&& body, ScopeOptions options) {
  using R = detail::ScopeResult<std::remove_reference_t<F>>;
  detail::Scope scope{detail::running_scheduler_or_throw("CancellationScope::run")};
  CancellationScope face{scope};
  face.timeout_ = options.timeout;
  detail::configure_scope(scope, options);
  face.begin("CancellationScope::run");
  if constexpr (std::is_void_v<R>) {
    if (!drive(face, body, [](auto&& call) { call(); })) face.throw_absorbed();
  } else if constexpr (std::is_reference_v<R>) {
    std::remove_reference_t<R>* result = nullptr;
    if (!drive(face, body, [&](auto&& call) { result = std::addressof(call()); })) {
      face.throw_absorbed();
    }
    return std::ref(*result);
  } else {
    std::optional<R> result;
    if (!drive(face, body, [&](auto&& call) { result.emplace(call()); })) face.throw_absorbed();
    return R{*std::move(result)};
  }
}

template <class F>
auto CancellationScope::try_run(F&& body, ScopeOptions options) {
  CancellationScope scope{std::move(options)};
  return scope.enter(std::forward<F>(body));
}

template <class F>
auto CancellationScope::enter(F&& body) {
  using R = detail::ScopeResult<std::remove_reference_t<F>>;
  begin("CancellationScope::enter");
  if constexpr (std::is_void_v<R>) {
    return drive(*this, body, [](auto&& call) { call(); });
  } else {
    using Held = std::conditional_t<std::is_reference_v<R>,
                                    std::reference_wrapper<std::remove_reference_t<R>>, R>;
    std::optional<Held> result;
    if (!drive(*this, body, [&](auto&& call) { result.emplace(call()); })) result.reset();
    return result;
  }
}

template <class T>
CancellationScope* Task<T>::scope() const {
  detail::TaskControl& task = control();
  return task.done() ? nullptr
                     : detail::face_of(static_cast<detail::Scope&>(*task.own_scope.parent));
}

}  // namespace asyncio
