// Loads a plugin, uses it and unloads it, again and again, on several threads.  It does not link
// the library itself, so nothing of that stays but what must.
//
//   plugin_host PLUGIN
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void use(const char* file, int signo) {
  void* const plugin = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    std::fprintf(stderr, "%s\n", ::dlerror());
    std::exit(2);
  }
  const auto run = reinterpret_cast<int (*)(int)>(::dlsym(plugin, "run_plugin"));
  if (run == nullptr || run(signo) != 42) std::exit(3);
  ::dlclose(plugin);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (int round = 0; round < 5; ++round) {
    use(argv[1], SIGUSR1);
    std::thread{use, argv[1], SIGUSR1}.join();
    std::thread one{use, argv[1], SIGUSR1};
    std::thread other{use, argv[1], SIGUSR2};
    one.join();
    other.join();
    // What it may have left for a fork, a signal, or the end of a process.
    const pid_t child = ::fork();
    if (child == 0) {
      std::raise(SIGUSR1);
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGUSR1) return 4;
  }
  struct sigaction left {};
  ::sigaction(SIGSEGV, nullptr, &left);
  return left.sa_handler == SIG_DFL ? 0 : 5;
}
