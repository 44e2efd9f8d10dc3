// A task for each connection, and a gentle end for all of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/concurrency/task_group.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/time.h>
#include <asyncio/io/export.h>

namespace asyncio {

struct ServeOptions {
  /// How many connections are served at a time; more of them wait in the kernel.  0: any number.
  std::size_t most = 0;
  /// Of a handler's task, in bytes; 0: the loop's default.
  std::size_t stack_size = 0;
};

class Server;

/// What a server takes its connections from.
template <class L>
concept Listener = requires(L& listener) {
  listener.accept();
  listener.try_accept();
  listener.close();
};

/// Accepts connections and runs `handler` for each, in a task of its own, until `listener` is
/// closed; then waits for the handlers.  Otherwise as Server: what a handler throws is told to the
/// exception handler.
/// Suspends: always.
/// Cancels: the handlers are cancelled and joined, then Cancelled goes on; the listener stays open.
/// Throws: IoError if nothing can be accepted any more; NotInTaskError.
template <Listener L, class H>
void serve(L& listener, H handler, ServeOptions options = {});

namespace detail {

/// Where a server's connections come from, and what is done with them.
struct Door {
  virtual ~Door() = default;
  /// Waits for a connection, and starts its task.
  virtual void let_in_next(Server& server) = 0;
  /// Starts the task of one that is waiting already.  Returns false if there is none.
  virtual bool let_in_waiting(Server& server) = 0;
  virtual void close() noexcept = 0;
};

/// L is a listener or a reference to one.
template <Listener L, class H>
struct DoorOf;

}  // namespace detail

/// Accepts connections, as a task of the scope it is made in, and runs the handler for each, in a
/// task of its own.  When the handler returns, the connection is closed.
///
/// What a handler throws is told to the exception handler and ends its connection alone.  A cancel
/// means now: it ends every handler.  drain() means gently.  So does nobody else: the destructor
/// cancels the handlers and joins them.
///
/// Threads: the loop's thread.
class ASYNCIO_IO_API Server {
 public:
  /// Begins.  `listener` is a TcpListener or UnixListener; `handler` takes its stream by reference,
  /// and the Server if it likes to: `[](TcpStream& stream, Server& server) { … }`.  Every task has
  /// the same handler.
  /// Suspends: never.
  /// Throws: NotInTaskError; InvalidStateError in a scope that has ended.
  template <Listener L, class H>
  Server(L listener, H handler, ServeOptions options = {})
      : Server(std::make_unique<detail::DoorOf<L, H>>(std::move(listener), std::move(handler)),
               options) {
    accept_in_task();
  }
  /// Cancels what drain() has not ended, and joins it.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Takes no more connections, and lets those there are go on.  What was waiting to be accepted is
  /// served yet.  Harmless if it is closed.
  /// Suspends: never.
  void close() noexcept;

  /// Closes; ends every idle() region; waits until the handlers have returned, at most for `limit`;
  /// then cancels and joins those that are left.  Returns whether none were.
  /// Suspends: unless there is no connection.
  /// Cancels: the handlers are cancelled and joined first.
  /// Throws: InvalidStateError inside a handler, which would wait for itself.
  bool drain(Duration limit);

  /// Runs `body`, which waits for what the peer may never send, such as its next request.  drain()
  /// ends it, unless there is something to read at that moment; one begun during a drain is ended
  /// likewise, but a connection that was waiting when it began has 100 ms to say what it wants.
  /// Returns what `body` does, or nothing if a drain has ended it; without a result, whether it
  /// came to its end.
  /// Suspends: as `body` does.
  /// Throws: what `body` throws; NotInTaskError.
  template <class F>
  auto idle(F&& body) {
    Idle region{*this};
    return region.scope.enter(std::forward<F>(body));
  }

  bool is_closed() const noexcept { return closed_; }
  /// How many connections are being served.
  std::size_t connections() const noexcept { return connections_; }

 private:
  template <Listener L, class H>
  friend struct detail::DoorOf;
  template <Listener L, class H>
  friend void serve(L& listener, H handler, ServeOptions options);

  /// A region of a handler in which nothing is lost by its end.
  struct ASYNCIO_IO_API Idle : lowlevel::ListNode {
    explicit Idle(Server& server);
    ~Idle() { unlink(); }
    CancellationScope scope;
  };
  /// One that is being served, also before its task has begun.
  class ASYNCIO_IO_API Place {
   public:
    explicit Place(Server& server) noexcept : server_(&server) { ++server.connections_; }
    Place(Place&& other) noexcept : server_(std::exchange(other.server_, nullptr)) {}
    ~Place() {
      if (server_ != nullptr) server_->leave();
    }
    Server& server() const noexcept { return *server_; }

   private:
    Server* server_;
  };

  Server(std::unique_ptr<detail::Door> door, ServeOptions options);
  /// Lets in one after the other, until it is closed.
  void accept_until_closed();
  void accept_in_task();
  /// Starts the task of a connection.
  template <class Serve>
  void start(Serve serve);
  void leave() noexcept;
  void report(const char* what) const noexcept;

  std::unique_ptr<detail::Door> door_;
  ServeOptions options_;
  lowlevel::LoopRef loop_;
  lowlevel::List<Idle> idle_;
  lowlevel::WaitQueue full_;            ///< who accepts waits here for a connection to end
  std::vector<std::uint64_t> unheard_;  ///< tasks of those that were waiting when it was closed
  std::size_t connections_ = 0;
  bool closed_ = false;
  bool draining_ = false;
  TaskGroup tasks_;  // last: they are joined while the rest is there
};

template <Listener L, class H>
void serve(L& listener, H handler, ServeOptions options) {
  Server server{std::make_unique<detail::DoorOf<L&, H>>(listener, std::move(handler)), options};
  server.accept_until_closed();
  server.tasks_.wait_all();
}

template <class Serve>
void Server::start(Serve serve) {
  auto body = [place = Place{*this}, serve = std::move(serve)]() mutable {
    try {
      serve(place.server());
    } catch (const Cancelled&) {
      throw;
    } catch (...) {
      place.server().report("Server: a handler failed; its connection is closed");
    }
  };
  try {
    const auto task = tasks_.spawn(
        std::move(body), TaskOptions{.name = "connection", .stack_size = options_.stack_size});
    if (closed_) unheard_.push_back(task.id());
  } catch (...) {
    report("Server: a connection is closed, for no task could be made for it");
  }
}

template <Listener L, class H>
struct detail::DoorOf final : Door {
  DoorOf(L from, H what) : listener(std::forward<L>(from)), handler(std::move(what)) {}

  void let_in_next(Server& server) override { let_in(server, listener.accept()); }
  bool let_in_waiting(Server& server) override {
    auto stream = listener.try_accept();
    if (!stream) return false;
    let_in(server, *std::move(stream));
    return true;
  }
  void close() noexcept override { listener.close(); }

  template <class S>
  void let_in(Server& server, S stream) {
    static_assert(std::invocable<H&, S&> || std::invocable<H&, S&, Server&>,
                  "a handler takes the listener's stream by reference, and perhaps the Server: "
                  "[](TcpStream& stream) { ... }");
    server.start([this, stream = std::move(stream)](Server& its_server) mutable {
      if constexpr (std::invocable<H&, S&, Server&>) {
        std::invoke(handler, stream, its_server);
      } else {
        std::invoke(handler, stream);
      }
    });
  }

  L listener;
  H handler;
};

}  // namespace asyncio
