#include <asyncio/core/internal/dump.h>

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <asyncio/core/internal/scheduler.h>

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

std::vector<TaskRef> living_tasks(const Rooms& rooms) {
  std::vector<TaskRef> tasks;
  const ScopeNode* const root = &rooms.root;
  const ScopeNode* node = root;
  for (;;) {
    if (node->is_task && node->task != nullptr) tasks.push_back(TaskRef::share(*node->task));
    if (!node->children.empty()) {
      node = node->children.front();
      continue;
    }
    while (node != root && node->next == node->parent->children.end()) node = node->parent;
    if (node == root) break;
    node = static_cast<const ScopeNode*>(node->next);
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const TaskRef& a, const TaskRef& b) { return a->id < b->id; });
  return tasks;
}

std::string wait_text(const TaskControl& task) {
  if (task.done()) return "done";
  if (const lowlevel::Waiter* waiter = task.waiter; waiter != nullptr) {
    const lowlevel::WaitReason& reason = *waiter->reason;
    return reason.describe != nullptr ? reason.describe(*waiter) : reason.what;
  }
  const bool runs = task.scheduler != nullptr && task.scheduler->current_task() == &task;
  return runs ? "running" : "ready";
}

std::string dump_text(const Rooms& rooms) {
  std::string text;
  for (const TaskRef& task : living_tasks(rooms)) {
    text += "  task '" + task->display_name() + "' (id " + std::to_string(task->id) + ", " +
            std::string{to_string(task->state())} + ") waits for: " + wait_text(*task);
    if (task->state() == TaskState::running && task.get() != rooms.scheduler.current_task()) {
      // A parked stack is read by calling backtrace() on top of it; the task does not run.
      Backtrace trace;
      rooms.scheduler.call_on_stack_of(*task, &capture, &trace);
      text += where_text(trace);
    }
    text += '\n';
  }
  return text;
}

}  // namespace asyncio::detail
