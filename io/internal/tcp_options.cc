#include <asyncio/io/internal/tcp_options.h>

#include <chrono>
#include <stdexcept>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace asyncio::detail {
namespace {

constexpr std::chrono::seconds longest{32767};  // the kernel's
constexpr int most_probes = 127;

bool is_possible(Duration time) noexcept { return time > Duration::zero() && time <= longest; }

int whole_seconds(Duration time) noexcept {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace

void set_no_delay(Socket& socket, bool on, const char* call) {
  socket.set_option(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0, call);
}

void set_keep_alive(Socket& socket, const std::optional<KeepAlive>& keep_alive, const char* call) {
  if (keep_alive) {
    const bool has_sense = is_possible(keep_alive->idle) && is_possible(keep_alive->interval) &&
                           keep_alive->probes >= 1 && keep_alive->probes <= most_probes;
    if (!has_sense) {
      throw std::invalid_argument(std::string{call} +
                                  ": a KeepAlive has times of 1 to 32767 s and 1 to 127 probes");
    }
    socket.set_option(IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(keep_alive->idle), call);
    socket.set_option(IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(keep_alive->interval), call);
    socket.set_option(IPPROTO_TCP, TCP_KEEPCNT, keep_alive->probes, call);
  }
  socket.set_option(SOL_SOCKET, SO_KEEPALIVE, keep_alive ? 1 : 0, call);
}

}  // namespace asyncio::detail
