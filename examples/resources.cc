// Resources that a scope closes: connections that must say goodbye, and may have to wait for that.
// Prints the order in which they are closed, when all is well and when the scope runs out of time.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;
using asyncio::AsyncResourceManager;
using asyncio::CancellationScope;

class Session : public asyncio::AsyncResource {
 public:
  explicit Session(std::string name) : name_(std::move(name)) {}

  void close() override {
    asyncio::sleep(1ms);  // may wait, even while the scope is being cancelled
    closed_ = true;
    std::cout << "  " << name_ << ": " << (hurried_ ? "hung up" : "said goodbye") << '\n';
  }
  bool is_closed() const noexcept override { return closed_; }
  void on_cancellation() noexcept override { hurried_ = true; }

 private:
  std::string name_;
  bool closed_ = false;
  bool hurried_ = false;
};

std::shared_ptr<Session> open(const std::string& name) {
  const auto session = std::make_shared<Session>(name);
  AsyncResourceManager::add(session);  // belongs to the scope that is current here
  return session;
}

int main() {
  asyncio::run([] {
    std::cout << "all is well\n";
    CancellationScope::run([](CancellationScope& scope) {
      open("database");
      const auto cache = open("cache");
      std::cout << "  in use: " << AsyncResourceManager::resource_count(scope) << '\n';
      cache->close();  // closed by hand: left alone later
    });

    std::cout << "out of time\n";
    CancellationScope::try_run(
        [] {
          open("database");
          open("cache");  // opened last, closed first
          asyncio::sleep(1h);
        },
        {.timeout = 10ms});

    std::cout << "still open: " << AsyncResourceManager::stats().open << '\n';
  });
}
