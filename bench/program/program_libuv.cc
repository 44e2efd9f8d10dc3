// The smallest program that waits, on libuv.
#include <uv.h>

int main() {
  uv_timer_t timer;
  uv_timer_init(uv_default_loop(), &timer);
  uv_timer_start(
      &timer, [](uv_timer_t*) {}, 1, 0);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
}
