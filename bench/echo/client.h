// The clients of an echo server: one thread, many connections, the same for every server.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "../support/descriptors.h"
#include "../support/percentiles.h"
#include "server_process.h"

namespace bench {

struct ClientShape {
  std::size_t connections = 0;
  std::size_t message = 64;      ///< bytes
  std::size_t window = message;  ///< bytes under way on a connection, at the most
  std::size_t low_water = 0;     ///< more is sent when no more than this is under way
};

/// Closed loop: a connection sends again when what it sent has come back, and so all are busy all
/// the time that run() takes.
class EchoClients {
 public:
  EchoClients(const ServerProcess& server, const ClientShape& shape)
      : shape_(shape), outgoing_(shape.window, 'x'), connections_(shape.connections) {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].socket = server.connect();
      epoll_event wanted{.events = EPOLLIN, .data = {.u64 = i}};
      checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connections_[i].socket.get(), &wanted),
              "epoll_ctl");
    }
  }

  /// Until this many messages more have come back.  Others are under way then, and stay so.
  void run(std::int64_t messages) {
    wanted_ += messages * static_cast<std::int64_t>(shape_.message);
    sending_ = true;
    for (Connection& connection : connections_) {
      if (connection.under_way <= shape_.low_water) send_more(connection);
    }
    while (wanted_ > 0) wanted_ -= handle_events();
  }

  /// Until nothing is under way any more.
  void settle() {
    sending_ = false;
    while (under_way_ > 0) handle_events();
    wanted_ = 0;
  }

  /// Has every connection had an answer?
  bool all_served() const {
    return std::all_of(connections_.begin(), connections_.end(),
                       [](const Connection& connection) { return connection.served; });
  }

  /// From sending a message until all of it is back, in µs; only without a low water.
  std::vector<double>& latencies_us() { return latencies_us_; }

 private:
  static constexpr int kPatienceMs = 5'000;

  struct Connection {
    Fd socket;
    bool served = false;
    std::size_t under_way = 0;
    Clock::time_point sent_at;
  };

  /// Returns how many bytes have come back.
  std::int64_t handle_events() {
    std::array<epoll_event, 512> events{};
    const int count = checked(
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), kPatienceMs),
        "epoll_wait");
    if (count == 0) throw std::runtime_error("the echo server has stopped answering");
    std::int64_t came = 0;
    for (int i = 0; i < count; ++i) {
      Connection& connection = connections_[events[static_cast<std::size_t>(i)].data.u64];
      came += receive(connection);
      if (sending_ && connection.under_way <= shape_.low_water) send_more(connection);
    }
    return came;
  }

  void send_more(Connection& connection) {
    connection.sent_at = Clock::now();
    const ssize_t sent = ::send(connection.socket.get(), outgoing_.data(),
                                shape_.window - connection.under_way, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN && connection.under_way > 0) return;  // again when some has come back
      throw std::system_error(errno, std::generic_category(), "send");
    }
    connection.under_way += static_cast<std::size_t>(sent);
    under_way_ += sent;
  }

  std::int64_t receive(Connection& connection) {
    const ssize_t got = ::recv(connection.socket.get(), incoming_.data(), incoming_.size(), 0);
    if (got <= 0) throw std::runtime_error("the echo server has closed a connection");
    connection.under_way -= static_cast<std::size_t>(got);
    connection.served = true;
    under_way_ -= got;
    if (connection.under_way == 0 && shape_.low_water == 0) {
      latencies_us_.push_back(in_us(Clock::now() - connection.sent_at));
    }
    return got;
  }

  ClientShape shape_;
  Fd epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  std::vector<char> outgoing_;
  std::array<char, 65536> incoming_;
  std::vector<Connection> connections_;
  std::int64_t wanted_ = 0;     // bytes that have yet to come back
  std::int64_t under_way_ = 0;  // on all connections
  bool sending_ = false;
  std::vector<double> latencies_us_;
};

}  // namespace bench
