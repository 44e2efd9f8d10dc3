// A chat: each line that somebody writes goes to everybody else.
//
//   chat_server [--port 0]        then: nc 127.0.0.1 PORT, in several terminals
//
// On SIGINT or SIGTERM it says goodbye and lets those go first who are in the middle of something.
#include <getopt.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <list>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace {

using namespace std::chrono_literals;

/// Somebody who is connected.  What others say waits here, so a slow reader delays nobody.
struct Guest {
  std::string name;
  asyncio::Queue<std::string> heard{100};
};

class Room {
 public:
  void enter(Guest& guest) {
    tell_others(guest, guest.name + " comes in\n");
    guests_.push_back(&guest);
  }
  void leave(Guest& guest) {
    guests_.remove(&guest);
    tell_others(guest, guest.name + " leaves\n");
  }
  void tell_others(const Guest& speaker, const std::string& line) {
    for (Guest* guest : guests_) {
      // Who does not read misses lines, rather than fill the memory.
      if (guest != &speaker) guest->heard.try_put(line);
    }
  }

 private:
  std::list<Guest*> guests_;
};

/// Is in the room as long as it lives, however its task ends.
class Presence {
 public:
  Presence(Room& room, Guest& guest) : room_(room), guest_(guest) { room_.enter(guest_); }
  ~Presence() { room_.leave(guest_); }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

 private:
  Room& room_;
  Guest& guest_;
};

/// The life of one connection: this task reads, and another one writes.
void talk(asyncio::TcpStream& stream, asyncio::Server& server, Room& room) {
  asyncio::BufferedReader reader(stream, 1024);  // nobody needs longer lines
  stream.write_all("Your name?\n");
  const auto name = server.idle([&] { return reader.read_line(); });
  if (!name || !*name) return;
  Guest guest{.name = std::string(**name)};
  const Presence presence(room, guest);
  asyncio::CancellationScope::run([&] {
    // It belongs to this scope, and ends with it.
    asyncio::create_task([&] {
      try {
        for (;;) stream.write_all(guest.heard.get());
      } catch (const asyncio::IoError&) {
        // The peer has broken off, and whoever reads from it finds out too.
      }
    });
    // Between two lines a drain may end it; while a line is passed on, it may not.
    while (const auto line = server.idle([&] { return reader.read_line(); })) {
      if (!*line) break;  // the end of the stream
      room.tell_others(guest, guest.name + ": " + std::string(**line) + "\n");
    }
  });
  stream.write_all("Goodbye.\n");
  stream.finish(1s);
}

void run_server(std::uint16_t port) {
  auto listener = asyncio::TcpListener::bind({asyncio::IpAddress::loopback_v4(), port});
  std::printf("listening on %s\n", listener.local().to_string().c_str());
  std::fflush(stdout);
  Room room;
  asyncio::Server server(std::move(listener),
                         [&](asyncio::TcpStream& stream, asyncio::Server& its_server) {
                           talk(stream, its_server, room);
                         });
  asyncio::wait_signal({SIGINT, SIGTERM});
  const bool all_went = server.drain(5s);
  std::printf("%s\n", all_went ? "everybody has left" : "some had to be cut off");
}

}  // namespace

int main(int argc, char** argv) try {
  const option names[] = {{"port", required_argument, nullptr, 'p'}, {nullptr, 0, nullptr, 0}};
  int port = 0;
  for (int name = 0; (name = ::getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (name == 'p') port = std::stoi(optarg);
    if (name == '?' || port < 0 || port > 65535) {
      std::fputs("usage: chat_server [--port 0..65535]\n", stderr);
      return 2;
    }
  }
  asyncio::RunOptions options;
  options.handle_sigint = false;  // the server handles it itself
  asyncio::run([&] { run_server(static_cast<std::uint16_t>(port)); }, options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "chat_server: %s\n", error.what());
  return 1;
}
