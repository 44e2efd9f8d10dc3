// The smallest program that waits, in a fiber of Boost's.
#include <chrono>

#include <boost/fiber/all.hpp>

int main() {
  boost::fibers::fiber([] { boost::this_fiber::sleep_for(std::chrono::milliseconds(1)); }).join();
}
