// Fibers with nothing but the switch: how fast tasks on stacks of their own could be if they had
// neither exceptions in flight nor errno, cancellation, scopes, names, guards or statistics.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <memory>
#include <vector>

namespace bench {

/// Switches directly from one fiber to the next ready one, first in, first out.
class BareFibers {
 public:
  BareFibers() = default;
  BareFibers(const BareFibers&) = delete;
  BareFibers& operator=(const BareFibers&) = delete;

  struct Fiber {
    BareFibers* owner = nullptr;
    boost::context::detail::fcontext_t saved{};
    Fiber* next = nullptr;    // in the ready queue
    Fiber* joiner = nullptr;  // waits for the end of this one
    void (*body)(void*) = nullptr;
    void* argument = nullptr;
    bool done = false;
    std::unique_ptr<std::byte[]> stack = nullptr;
  };

  /// Has `body(argument)` run on a stack of its own, one that has been used if there is any.
  Fiber& spawn(void (*body)(void*), void* argument) {
    Fiber& fiber = take();
    fiber.body = body;
    fiber.argument = argument;
    fiber.done = false;
    fiber.joiner = nullptr;
    fiber.saved =
        boost::context::detail::make_fcontext(fiber.stack.get() + stack_size, stack_size, enter);
    push(fiber);
    return fiber;
  }

  void yield() {
    push(*current_);
    switch_to(pop());
  }

  /// Waits for the end of `fiber`, whose stack is free from then on.
  void join(Fiber& fiber) {
    if (!fiber.done) {
      fiber.joiner = current_;
      switch_to(pop());
    }
    free_.push_back(&fiber);
  }

 private:
  static constexpr std::size_t stack_size = 64 * 1024;

  Fiber& take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Fiber>());
      all_.back()->owner = this;
      all_.back()->stack.reset(new std::byte[stack_size]);
      return *all_.back();
    }
    Fiber& fiber = *free_.back();
    free_.pop_back();
    return fiber;
  }

  void push(Fiber& fiber) {
    fiber.next = nullptr;
    *end_ = &fiber;
    end_ = &fiber.next;
  }

  Fiber& pop() {
    Fiber& fiber = *first_;
    first_ = fiber.next;
    if (first_ == nullptr) end_ = &first_;
    return fiber;
  }

  /// As every jump does, hands the one that leaves to the one that arrives, which notes where it
  /// is.
  void switch_to(Fiber& to) {
    Fiber* const from = current_;
    current_ = &to;
    arrive(boost::context::detail::jump_fcontext(to.saved, from));
  }

  static void arrive(boost::context::detail::transfer_t arrival) {
    static_cast<Fiber*>(arrival.data)->saved = arrival.fctx;
  }

  static void enter(boost::context::detail::transfer_t arrival) {
    arrive(arrival);
    BareFibers& fibers = *static_cast<Fiber*>(arrival.data)->owner;
    Fiber& self = *fibers.current_;
    self.body(self.argument);
    self.done = true;
    if (self.joiner != nullptr) fibers.push(*self.joiner);
    fibers.switch_to(fibers.pop());
  }

  Fiber main_{.owner = this};
  Fiber* current_ = &main_;
  Fiber* first_ = nullptr;
  Fiber** end_ = &first_;
  std::vector<Fiber*> free_;
  std::vector<std::unique_ptr<Fiber>> all_;
};

}  // namespace bench
