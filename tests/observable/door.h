// The resource that the events are about.
#pragma once

#include <stdexcept>

#include <asyncio/resource/async_resource.h>

namespace asyncio::test {

class Door : public AsyncResource {
 public:
  explicit Door(bool jams = false) : jams_(jams) {}
  void close() override {
    if (jams_) throw std::runtime_error("it jams");
    closed_ = true;
  }
  bool is_closed() const noexcept override { return closed_; }

 private:
  bool jams_;
  bool closed_ = false;
};

}  // namespace asyncio::test
