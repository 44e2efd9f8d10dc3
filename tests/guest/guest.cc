#include <asyncio/tests/guest/host.h>

namespace asyncio::test {

Guest::Guest(Host& host, const AttachOptions& options, const LoopOptions& loop_options)
    : host_(host), loop_(std::make_unique<EventLoop>(host.attach(options), loop_options)) {
  host.take_in(*loop_, options);
}

Guest::~Guest() { reset(); }

void Guest::reset() {
  if (loop_ == nullptr) return;
  host_.let_go(*loop_);
  loop_.reset();
}

}  // namespace asyncio::test
