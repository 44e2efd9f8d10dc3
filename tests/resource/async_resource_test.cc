// The interface of resources: what one must say for itself, and what it need not.
#include <memory>
#include <type_traits>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

class AsyncResourceTest : public LoopTest {};

// The least a resource can be.
class Door : public AsyncResource {
 public:
  explicit Door(bool* gone = nullptr) : gone_(gone) {}
  ~Door() override {
    if (gone_ != nullptr) *gone_ = true;
  }
  void close() override { closed_ = true; }
  bool is_closed() const noexcept override { return closed_; }

 private:
  bool* gone_;
  bool closed_ = false;
};

TEST_F(AsyncResourceTest, CloseAndIsClosedAreAllItMustHave) {
  static_assert(std::is_abstract_v<AsyncResource>);
  static_assert(std::has_virtual_destructor_v<AsyncResource>);
  static_assert(noexcept(std::declval<AsyncResource&>().on_cancellation()));
  static_assert(noexcept(std::declval<const AsyncResource&>().is_closed()));
  Door door;
  AsyncResource& resource = door;
  resource.on_cancellation();
  EXPECT_FALSE(resource.is_closed());
  resource.close();  // whoever likes may call it by hand, and without a loop
  EXPECT_TRUE(resource.is_closed());
}

TEST_F(AsyncResourceTest, IsDestroyedThroughItsBase) {
  bool gone = false;
  std::unique_ptr<AsyncResource>{std::make_unique<Door>(&gone)}.reset();
  EXPECT_TRUE(gone);
}

TEST_F(AsyncResourceTest, OneThatNobodyAddedIsNobodysToClose) {
  run([] {
    auto door = std::make_shared<Door>();
    CancellationScope::run([&] {});
    EXPECT_FALSE(door->is_closed());
  });
}

TEST_F(AsyncResourceTest, GoesWithItsScopeWhenNobodyElseHoldsIt) {
  run([] {
    bool gone = false;
    CancellationScope::run([&] {
      AsyncResourceManager::add(std::make_shared<Door>(&gone));
      settle();
      EXPECT_FALSE(gone) << "the scope holds it";
    });
    EXPECT_TRUE(gone);
  });
}

}  // namespace
}  // namespace asyncio::test
