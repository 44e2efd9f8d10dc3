// A hundred concurrent tasks on each backend, for all of them: made together, each waits for a byte
// that another one sends, and all are gathered.  Counters: tasks per second.
#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

constexpr std::size_t kTasks = 100;
using Pipes = std::array<Pipe, kTasks>;

/// Who has sent to the next one has done its part.
int writer_after(const Pipes& pipes, std::size_t index) {
  return pipes[(index + 1) % kTasks].in.get();
}

void count_tasks(State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTasks));
}

void on_asyncio(State& state, const std::string& backend) {
  run_on(backend, [&] {
    const Pipes pipes;
    for (auto _ : state) {
      std::vector<asyncio::Task<void>> tasks;
      for (std::size_t i = 0; i < kTasks; ++i) {
        tasks.push_back(asyncio::create_task([&pipes, i] {
          write_byte(writer_after(pipes, i));
          asyncio::wait_readable(pipes[i].out.get());
          read_byte(pipes[i].out.get());
        }));
      }
      asyncio::gather(std::move(tasks));
    }
    for (const Pipe& pipe : pipes) asyncio::notify_closing(pipe.out.get());
  });
  count_tasks(state);
}

/// Not tasks, but watchers: each is started, called once, and stopped.
template <class Loop>
void on_raw_loop(State& state) {
  struct Work : Loop::template Io<Work> {
    void on_ready() {
      read_byte(fd);
      this->stop(*loop);
      if (--*left == 0) loop->stop();
    }
    Loop* loop = nullptr;
    std::size_t* left = nullptr;
    int fd = -1;
  };
  const Pipes pipes;
  Loop loop;
  for (auto _ : state) {
    std::size_t left = kTasks;
    std::vector<Work> all(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) {
      all[i].loop = &loop;
      all[i].left = &left;
      all[i].fd = pipes[i].out.get();
      all[i].start(loop, all[i].fd);
      write_byte(writer_after(pipes, i));
    }
    loop.run();
  }
  count_tasks(state);
}

const Subject subject("core.hundred_tasks", [](Rows& rows) {
  add_on_backends(rows, {}, on_asyncio);
  for_each_raw_loop([&]<class Loop>() { rows.add(Loop::name, {}, on_raw_loop<Loop>); });
});

}  // namespace
}  // namespace bench
