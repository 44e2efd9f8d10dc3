// The echo server by hand on a raw loop: watchers that stay, one buffer for all, two system calls
// for a request.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "../support/descriptors.h"
#include "../support/raw_until.h"

namespace bench::raw {

template <class Loop>
class Echo {
 public:
  Echo(Loop& loop, int listener) : loop_(loop), acceptor_(*this, listener) {
    acceptor_.start(loop, listener);
  }

 private:
  class Connection : Loop::template Io<Connection> {
   public:
    Connection(Echo& echo, Fd socket) : echo_(echo), socket_(std::move(socket)) {
      this->start(echo_.loop_, socket_.get());
    }

    void on_ready() {
      if (!(rest_.empty() ? echo() : send_rest())) {
        this->stop(echo_.loop_);
        delete this;
      }
    }

   private:
    friend typename Loop::template Io<Connection>;

    /// False if the peer is gone, as the others.
    bool echo() {
      auto& buffer = echo_.buffer_;
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return got < 0 && errno == EAGAIN;
      std::string_view data(buffer.data(), static_cast<std::size_t>(got));
      if (!send(data)) return false;
      if (!data.empty()) {
        rest_ = data;
        wait(Until::writable);
      }
      return true;
    }

    bool send_rest() {
      std::string_view data = rest_;
      if (!send(data)) return false;
      rest_.erase(0, rest_.size() - data.size());
      if (rest_.empty()) wait(Until::readable);
      return true;
    }

    bool send(std::string_view& data) {
      const ssize_t sent = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
      return sent >= 0 || errno == EAGAIN;
    }

    void wait(Until until) {
      this->stop(echo_.loop_);
      this->start(echo_.loop_, socket_.get(), until);
    }

    Echo& echo_;
    Fd socket_;
    std::string rest_;  // what the peer does not take yet
  };

  struct Acceptor : Loop::template Io<Acceptor> {
    Acceptor(Echo& owner, int listening) : echo(owner), listener(listening) {}
    void on_ready() {
      for (;;) {
        Fd socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket.get() < 0) return;
        new Connection(echo, std::move(socket));  // deletes itself at the end
      }
    }
    Echo& echo;
    int listener;
  };

  Loop& loop_;
  Acceptor acceptor_;
  std::array<char, 65536> buffer_;
};

}  // namespace bench::raw
