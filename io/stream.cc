#include <asyncio/io/stream.h>

namespace asyncio {

Stream::~Stream() = default;

detail::Channel* Stream::channel(lowlevel::Direction /*direction*/) noexcept { return nullptr; }

}  // namespace asyncio
