// The smallest program that waits, on libev.
#include <ev.h>

int main() {
  struct ev_loop* const loop = ev_default_loop(0);
  ev_timer timer;
  ev_timer_init(
      &timer, [](struct ev_loop*, ev_timer*, int) {}, 0.001, 0);
  ev_timer_start(loop, &timer);
  ev_run(loop, 0);
  ev_loop_destroy(loop);
}
