// keep_in_scope().
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

class KeepInScopeTest : public LoopTest {
 protected:
  std::array<std::byte, 8> buffer;
};

TEST_F(KeepInScopeTest, TheScopeClosesWhatItKeeps) {
  run([this] {
    auto [reader, writer] = make_pipe();
    CancellationScope::run([&, &writer = writer] {
      PipeWriter& kept = keep_in_scope(std::move(writer));
      kept.write_all("x");
      EXPECT_FALSE(kept.is_closed());
    });
    EXPECT_EQ("x", read_to_end(reader));
  });
}

TEST_F(KeepInScopeTest, AlsoWhenItIsCancelledAndAfterItsTasks) {
  run([] {
    auto [reader, writer] = make_pipe();
    CancellationScope::try_run([&, &writer = writer](CancellationScope& scope) {
      PipeWriter& kept = keep_in_scope(std::move(writer));
      create_task([&kept] {
        try {
          sleep_forever();
        } catch (const Cancelled&) {
          shield([&kept] { kept.write_all("goodbye"); });
          throw;
        }
      });
      settle();
      scope.cancel();
      checkpoint();
    });
    EXPECT_EQ("goodbye", read_to_end(reader));
  });
}

TEST_F(KeepInScopeTest, WhatIsClosedByHandIsLeftAlone) {
  run([] {
    CancellationScope::run([] {
      TcpListener& listener = keep_in_scope(TcpListener::bind(loopback()));
      listener.close();
      EXPECT_TRUE(listener.is_closed());
    });
  });
}

TEST_F(KeepInScopeTest, AFileMayTakeItsTimeToClose) {
  run([] {
    const TemporaryFolder folder;
    File copy = CancellationScope::run([&] {
      File& file = keep_in_scope(
          File::open(folder.file("kept"), {.read = false, .write = true, .create = true}));
      file.write_at("x", 0);
      return file;
    });
    copy.write_at("y", 1);
    EXPECT_EQ("xy", read_file(folder.file("kept"), 100));
  });
}

}  // namespace
}  // namespace asyncio::test
