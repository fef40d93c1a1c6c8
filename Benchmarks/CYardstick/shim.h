// What the harness needs of Linux and Swift's Glibc module does not offer: epoll, and calls which
// C declares with a variable number of arguments or only under _GNU_SOURCE (which must not be
// defined in a header that Swift imports: it changes other modules' view of the same types).
#pragma once

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// An epoll descriptor, closed on exec.
static inline int linux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

/// Watches `descriptor`, edge-triggered, for reading and hang-up; `token` comes back with its events.
static inline int linux_epoll_watch(int poller, int descriptor, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.u64 = token}};
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

/// Watches a descriptor that is watched already for writing, too.
static inline int linux_epoll_watch_writing(int poller, int descriptor, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = token}};
    return epoll_ctl(poller, EPOLL_CTL_MOD, descriptor, &event);
}

/// One event as the loop needs it.
struct linux_readiness {
    uint64_t token;
    /// Non-zero when the peer sent its end of stream or the connection broke: read until the end.
    uint64_t is_ending;
};

/// Waits at most `milliseconds` and fills `into` (of `capacity` entries); their number, or -1.
static inline int linux_epoll_wait(int poller, struct linux_readiness *into, int capacity, int milliseconds) {
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, capacity < 256 ? capacity : 256, milliseconds);
    for (int index = 0; index < count; index++) {
        into[index].token = events[index].data.u64;
        into[index].is_ending = events[index].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    }
    return count;
}

/// accept4(2), non-blocking and closed on exec.
static inline int linux_accept(int listener) {
    return (int)syscall(SYS_accept4, listener, (void *)0, (void *)0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/// Asks for `signal` when the parent dies; holds across execve(2).
static inline int linux_signal_on_parent_death(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

/// sched_setaffinity(2) of the calling thread; `mask` has one bit per core in `words` 64-bit words.
static inline int linux_set_affinity(const uint64_t *mask, int words) {
    return (int)syscall(SYS_sched_setaffinity, 0, (size_t)words * 8, mask);
}

/// sched_getaffinity(2) of the calling thread; the number of bytes filled, or -1.
static inline int linux_get_affinity(uint64_t *mask, int words) {
    return (int)syscall(SYS_sched_getaffinity, 0, (size_t)words * 8, mask);
}
