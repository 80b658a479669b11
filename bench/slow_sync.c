/* Preloaded into a node by bench/delays.py: every fsync and fdatasync takes FAZHI_BENCH_SYNC_US microseconds longer. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_first(void) {
    const char *text = getenv("FAZHI_BENCH_SYNC_US");
    long us = text ? atol(text) : 0;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0) {
    }
}

int fsync(int descriptor) {
    wait_first();
    return (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
    wait_first();
    return (int)syscall(SYS_fdatasync, descriptor);
}
