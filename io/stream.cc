#include <asyncio/io/stream.h>

namespace asyncio {

Stream::~Stream() = default;

}  // namespace asyncio
