// Context: values that tasks inherit, so that a request's id need not be an argument everywhere.
// Prints the log lines of two requests, and that what a child sets stays its own.
#include <iostream>
#include <string>

#include <asyncio/asyncio.h>

// A value by type and default, for all code that shares this variable.
const asyncio::ContextVar<int> log_level{"log_level", 1};

void log(const std::string& text) {
  std::cout << asyncio::get_context<std::string>("request", "no request") << ": " << text << '\n';
}

void handle(const std::string& request) {
  asyncio::set_context("request", request);
  // A new task inherits what its maker has at that moment.
  asyncio::await(asyncio::create_task([] { log("looked up in the cache"); }));
  asyncio::to_thread([] { log("written to disk"); });  // and so does a call on another thread
  log("answered");
}

int main() {
  asyncio::run([] {
    asyncio::await(asyncio::create_task([] { handle("GET /"); }));
    asyncio::await(asyncio::create_task([] { handle("GET /help"); }));
    log("idle");  // what the two tasks have set was their own

    asyncio::set_context("request", "PUT /");
    const auto child = asyncio::create_task([] {
      log("inherited, although the parent goes on to set another");
      asyncio::set_context("request", "own");
      log("set here");
      asyncio::delete_context("request");  // now the inherited value shows again
      log("inherited still");
      asyncio::clear_context();
      log("nothing left");
    });
    asyncio::set_context("request", "DELETE /");
    asyncio::await(child);
    log("the parent's");

    const auto before = log_level.set(3);
    std::cout << "log level " << log_level.get();
    log_level.reset(before);
    std::cout << ", then " << log_level.get() << '\n';
  });
}
