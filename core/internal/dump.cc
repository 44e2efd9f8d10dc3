// Telling a person what every task does: for wait_reason(), dump() and the deadlock report.
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {
namespace {

constexpr int most_frames = 32;
constexpr int frames_shown = 5;

struct Backtrace {
  std::array<void*, most_frames> frames{};
  int count = 0;
};

void capture(void* target) {
  auto& trace = *static_cast<Backtrace*>(target);
  trace.count = ::backtrace(trace.frames.data(), most_frames);
}

// "function+0x1f (module)"; without the symbol, what addr2line needs.
std::string frame_text(void* address, std::string& function) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0) return "?";
  const char* file = info.dli_fname == nullptr ? "?" : info.dli_fname;
  char offset[32];
  if (info.dli_sname == nullptr) {
    std::snprintf(
        offset, sizeof offset, "+0x%zx",
        static_cast<std::size_t>(static_cast<char*>(address) - static_cast<char*>(info.dli_fbase)));
    return std::string{file} + offset;
  }
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name{
      abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status), &std::free};
  function = status == 0 ? name.get() : info.dli_sname;
  std::snprintf(
      offset, sizeof offset, "+0x%zx",
      static_cast<std::size_t>(static_cast<char*>(address) - static_cast<char*>(info.dli_saddr)));
  return function + offset + " (" + file + ")";
}

// The first frames outside the library's own machinery.
std::string where_text(const Backtrace& trace) {
  std::string text;
  int shown = 0;
  for (int i = 0; i < trace.count && shown < frames_shown; ++i) {
    std::string function;
    const std::string frame = frame_text(trace.frames[static_cast<std::size_t>(i)], function);
    const bool ours = function.find("asyncio::detail::") != std::string::npos ||
                      function.find("fcontext") != std::string::npos;
    if (ours) continue;
    text += "\n      at " + frame;
    ++shown;
  }
  return text;
}

}  // namespace

std::string wait_text(const TaskControl& task) {
  if (task.done()) return "done";
  const Waiter* waiter = task.waiter;
  if (waiter == nullptr) {
    return task.loop != nullptr && task.loop->current_task() == &task ? "running" : "ready";
  }
  const auto fd = [&] {
    return std::to_string(static_cast<int>(reinterpret_cast<std::intptr_t>(waiter->object)));
  };
  switch (waiter->kind) {
    case WaitKind::nothing:
      return "nothing";
    case WaitKind::timer:
      return "timer";
    case WaitKind::fd_readable:
      return "fd " + fd() + " readable";
    case WaitKind::fd_writable:
      return "fd " + fd() + " writable";
    case WaitKind::task:
      return "task '" + static_cast<const TaskControl*>(waiter->object)->display_name() + "'";
    case WaitKind::tasks:
      return "tasks";
    case WaitKind::scope:
      return "scope '" + static_cast<const Scope*>(waiter->object)->name + "' to end";
    case WaitKind::future:
      return "future";
    case WaitKind::semaphore:
      return "semaphore";
    case WaitKind::mutex:
      return "mutex";
    case WaitKind::rwlock:
      return "rwlock";
    case WaitKind::condition:
      return "condition";
    case WaitKind::event:
      return "event";
    case WaitKind::barrier:
      return "barrier";
    case WaitKind::queue_get:
      return "queue, to get";
    case WaitKind::queue_put:
      return "queue, to put";
    case WaitKind::thread:
      return "thread";
    case WaitKind::signal:
      return "signal";
  }
  return "?";
}

std::string Loop::dump() const {
  std::string text;
  Loop& self = const_cast<Loop&>(*this);
  for (const TaskRef& task : living_tasks()) {
    text += "  task '" + task->display_name() + "' (id " + std::to_string(task->id) + ", " +
            std::string{to_string(task->state())} + ") waits for: " + wait_text(*task);
    if (task->state() == TaskState::running && task.get() != current_) {
      // A parked stack is read by calling backtrace() on top of it; the task does not run.
      Backtrace trace;
      Fiber here;
      call_on_fiber(self.thread_, current_ != nullptr ? current_->fiber : here, task->fiber,
                    &capture, &trace);
      text += where_text(trace);
    }
    text += '\n';
  }
  return text;
}

}  // namespace asyncio::detail
