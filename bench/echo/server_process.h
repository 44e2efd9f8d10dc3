// An echo server in a process of its own, so that its CPU time and memory are its alone.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>

#include "../support/descriptors.h"
#include "../support/processors.h"

namespace bench {

/// A listening TCP socket on the loopback interface.
inline Fd listen_on_loopback() {
  Fd listener(checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Connections inherit it.  Without it a reply may wait until the last one is acknowledged.
  checked(::setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "setsockopt");
  checked(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), "bind");
  checked(::listen(listener.get(), SOMAXCONN), "listen");
  return listener;
}

/// While it lives, the calling thread is a client: on the other processor.
class ServerProcess {
 public:
  explicit ServerProcess(const std::function<void(int listener)>& serve) {
    const pid_t parent = ::getpid();
    move_to_other_cpu();
    pid_ = checked(::fork(), "fork");
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // if we die without our destructors it goes, too
    if (::getppid() == parent) {
      move_to_measured_cpu();
      try {
        serve(listener_.get());
      } catch (const std::exception& error) {
        std::fprintf(stderr, "echo server: %s\n", error.what());
      }
    }
    ::_exit(1);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    move_to_measured_cpu();
  }

  pid_t pid() const { return pid_; }

  /// A new connection to it, which does not block.
  Fd connect() const {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    checked(::getsockname(listener_.get(), generic, &size), "getsockname");
    Fd socket(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const int on = 1;
    checked(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "setsockopt");
    checked(::connect(socket.get(), generic, size), "connect");
    checked(::fcntl(socket.get(), F_SETFL, O_NONBLOCK), "fcntl");
    return socket;
  }

 private:
  Fd listener_ = listen_on_loopback();
  pid_t pid_ = -1;
};

}  // namespace bench
