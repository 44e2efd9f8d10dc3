// In a libev without EV_MULTIPLICITY there is no loop to attach to: the compiler says what to do.
#include <asyncio/backends/libev.h>
