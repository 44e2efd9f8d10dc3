// The smallest program that waits, on libevent.
#include <event2/event.h>
#include <sys/time.h>

int main() {
  event_base* const base = event_base_new();
  event* const timer = evtimer_new(
      base, [](evutil_socket_t, short, void*) {}, nullptr);
  const timeval delay{.tv_sec = 0, .tv_usec = 1'000};
  evtimer_add(timer, &delay);
  event_base_dispatch(base);
  event_free(timer);
  event_base_free(base);
}
