#include <asyncio/core/internal/process/stack_overflow.h>

#include <csignal>
#include <cstddef>
#include <cstring>
#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

#include <asyncio/core/detail/fork_mutex.h>
#include <asyncio/core/internal/memory/stack_pool.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::detail {
namespace {

constinit ForkMutex install_mutex;
int installs = 0;
bool wrapped = false;  // somebody has put theirs in our place, and may hand on to us
struct sigaction earlier {};

void say(const char* text) noexcept {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void say(std::size_t number) noexcept {
  char digits[24];
  char* at = digits + sizeof digits - 1;
  *at = '\0';
  do {
    *--at = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  say(at);
}

// The running task, if `address` is in the guard below its stack.
const TaskControl* task_of_guard(const std::byte* address) noexcept {
  const Scheduler* const scheduler = Scheduler::current();
  const TaskControl* const task = scheduler == nullptr ? nullptr : scheduler->current_task();
  if (task == nullptr) return nullptr;
  const std::byte* const bottom = task->fiber.top - task->fiber.size;
  return address < bottom && address >= bottom - task->stacks->guard_size() ? task : nullptr;
}

// Async-signal-safe: the task's fields are only read, by the thread that owns them.
void on_fault(int signo, siginfo_t* info, void* context) {
  const TaskControl* const task = task_of_guard(static_cast<std::byte*>(info->si_addr));
  if (task != nullptr) {
    say("asyncio: stack overflow in task '");
    if (task->name.empty()) {
      say("Task-");
      say(task->id);
    } else {
      say(task->name.c_str());
    }
    say("': its stack of ");
    say(task->fiber.size);
    say(" bytes is full; raise TaskOptions::stack_size for this task, or RunOptions::stack_size "
        "for "
        "all, or use less stack\n");
  }
  if ((earlier.sa_flags & SA_SIGINFO) != 0) {
    earlier.sa_sigaction(signo, info, context);
    return;
  }
  if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
    earlier.sa_handler(signo);
    return;
  }
  const bool sent = info->si_code <= 0;  // by kill() and its like: there is no fault
  if (sent && earlier.sa_handler == SIG_IGN) return;
  // A fault happens again on return, and then has its default effect.
  ::signal(SIGSEGV, SIG_DFL);
  if (sent) ::raise(SIGSEGV);
}

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &on_fault;
}

bool is_a_handler(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 ||
         (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

class AlternateStack {
 public:
  AlternateStack() noexcept {
    stack_t present{};
    ::sigaltstack(nullptr, &present);
    if ((present.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer's, or the program's own
    memory_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) {
      memory_ = nullptr;
      return;
    }
    stack_t ours{};
    ours.ss_sp = memory_;
    ours.ss_size = size;
    ::sigaltstack(&ours, nullptr);
  }
  ~AlternateStack() {
    if (memory_ == nullptr) return;
    stack_t present{};
    ::sigaltstack(nullptr, &present);
    if (present.ss_sp == memory_) {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    ::munmap(memory_, size);
  }
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

 private:
  static constexpr std::size_t size = 64 * 1024;
  void* memory_ = nullptr;
};

}  // namespace

void install_stack_overflow_report() noexcept {
  const std::lock_guard lock{install_mutex};
  if (installs++ != 0) return;
  struct sigaction present {};
  ::sigaction(SIGSEGV, nullptr, &present);
  if (is_ours(present)) return;  // left in place by an uninstall that found it wrapped
  // On top of one that hands on to us, we would hand on to it, and so for ever.
  wrapped = wrapped && is_a_handler(present);
  if (wrapped) return;
  struct sigaction ours {};
  ours.sa_sigaction = &on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  ::sigemptyset(&ours.sa_mask);
  earlier = present;
  ::sigaction(SIGSEGV, &ours, nullptr);
}

void uninstall_stack_overflow_report() noexcept {
  const std::lock_guard lock{install_mutex};
  if (--installs != 0) return;
  struct sigaction present {};
  ::sigaction(SIGSEGV, nullptr, &present);
  wrapped = !is_ours(present);
  if (!wrapped) ::sigaction(SIGSEGV, &earlier, nullptr);
}

void use_alternate_signal_stack() noexcept { static thread_local const AlternateStack stack; }

}  // namespace asyncio::detail
