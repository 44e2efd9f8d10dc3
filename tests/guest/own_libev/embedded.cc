// libev as a program embeds it.
#define EV_STANDALONE 1
#define EV_USE_CLOCK_SYSCALL 0
#define EV_USE_EPOLL 1
#define EV_USE_EVENTFD 1
#define EV_USE_MONOTONIC 1
#define EV_USE_POLL 1
#define EV_USE_SELECT 1
#include <ev.c>
