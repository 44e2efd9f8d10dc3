// Failures nobody is there to catch.
#include <cstdio>
#include <string>

#include <asyncio/core/exception_group.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {

void Loop::report(std::string message, std::exception_ptr exception, TaskControl* task) noexcept {
  try {
    if (handler_) {
      ExceptionContext context{message, exception,
                               task == nullptr ? AnyTask{} : AnyTask{TaskRef::share(*task)}};
      handler_(context);
      return;
    }
  } catch (...) {
    std::fprintf(stderr, "asyncio: the exception handler itself threw: %s\n",
                 describe(std::current_exception()).c_str());
  }
  std::fprintf(stderr, "asyncio: %s%s%s\n", message.c_str(), exception == nullptr ? "" : ": ",
               exception == nullptr ? "" : describe(exception).c_str());
}

void Loop::callback_failed(std::exception_ptr exception, const char* what) noexcept {
  if (handler_ || callback_failure_ != nullptr) {
    report(std::string{what} + " threw", std::move(exception), nullptr);
    return;
  }
  callback_failure_ = std::move(exception);
  stopping_ = true;
}

}  // namespace asyncio::detail
