#include <asyncio/core/internal/failures.h>

#include <cstdio>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/exception_group.h>
#include <asyncio/core/internal/reactor/reactor.h>

namespace asyncio::detail {

void Failures::report(const std::string& message, const std::exception_ptr& exception,
                      TaskControl* task) noexcept {
  try {
    if (const std::shared_ptr<Handler> handler = handler_) {
      ExceptionContext context{message, exception,
                               task == nullptr ? AnyTask{} : AnyTask{TaskRef::share(*task)}};
      (*handler)(context);
      return;
    }
  } catch (...) {
    std::fprintf(stderr, "asyncio: the exception handler itself threw: %s\n",
                 describe(std::current_exception()).c_str());
  }
  std::fprintf(stderr, "asyncio: %s%s%s\n", message.c_str(), exception == nullptr ? "" : ": ",
               exception == nullptr ? "" : describe(exception).c_str());
}

void Failures::report_ignored(TaskControl& task) noexcept {
  // This fails if another thread is dropping the last handle: then the task comes here as a post.
  if (!task.try_add_ref()) return;
  const TaskRef keep{&task};
  task.mark_observed();
  report("task '" + task.display_name() + "' failed and nobody awaited it", task.exception, &task);
}

bool Failures::callback_failed(std::exception_ptr exception, const char* what) noexcept {
  if (handler_ || for_run_ != nullptr || reactor_.guest()) {  // a host has no use for it
    report(std::string{what} + " threw", exception, nullptr);
    return false;
  }
  for_run_ = std::move(exception);
  return true;
}

void Failures::report_left() noexcept {
  if (std::exception_ptr left = take(); left != nullptr) {
    report("a callback threw", left, nullptr);
  }
}

}  // namespace asyncio::detail
