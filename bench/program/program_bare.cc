// The smallest program that waits, with the system alone.
#include <unistd.h>

int main() { ::usleep(1'000); }
