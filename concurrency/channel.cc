#include <asyncio/concurrency/channel.h>

#include <string>

namespace asyncio::detail {

void throw_end_is_closed(const char* call) {
  throw ClosedError(std::string{call} +
                    " on an end of a channel that was closed or moved from: copy the end first, to "
                    "go on using it");
}

void throw_no_receiver(const char* call) {
  throw ClosedError(std::string{call} + ": every receiver of the channel is gone");
}

void throw_no_sender(const char* call) {
  throw ClosedError(std::string{call} +
                    ": every sender of the channel is gone, and no item is left");
}

}  // namespace asyncio::detail
