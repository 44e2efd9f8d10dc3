// System calls of this program, counted, and made to fail on request.
#pragma once

#include <cstddef>

namespace asyncio::test {

enum class Call {
  accept4,
  epoll_ctl,
  preadv2,
  recv,
  send,
  sendfile,
  sendmsg,
  setsockopt,
  splice,
  waitid,
};

/// How often it was made since the program began.
std::size_t times(Call call);
/// The next `count` calls fail with `error`, and do nothing.  With the error 0 waitid() succeeds,
/// and says that there is nothing yet.
void fail_next(Call call, int error, std::size_t count = 1);
/// As fail_next(), for the call after the next `spared`.
void fail_after(Call call, std::size_t spared, int error);
/// The most pieces that one sendmsg() was given since the last call of this.
std::size_t most_pieces();

/// How often memory was taken since the program began.
std::size_t allocations();

}  // namespace asyncio::test
