#pragma once

// Linux calls that Swift's Glibc module leaves out. GNU-only ones go through syscall(2):
// _GNU_SOURCE in a header that Swift imports splits fd_set between modules in debug builds.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// accept4(2) without the peer's address, which getpeername(2) tells.
static inline int clinux_accept4(int listener, int flags)
{
    return (int)syscall(SYS_accept4, listener, (void *)0, (void *)0, flags);
}

// pidfd_open(2), Linux 5.3.
static inline int clinux_pidfd_open(int pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

// The name that ps and top show for this process; at most 15 bytes count.
static inline int clinux_set_process_name(const char *name)
{
    return prctl(PR_SET_NAME, name, 0, 0, 0);
}

// gettid(2), which glibc declares for GNU sources only.
static inline int clinux_gettid(void)
{
    return (int)syscall(SYS_gettid);
}

// sched_getaffinity(2) of the calling thread: the bytes of mask filled in, or -1.
static inline int clinux_sched_getaffinity(unsigned char *mask, unsigned long size)
{
    return (int)syscall(SYS_sched_getaffinity, 0, size, mask);
}

// prctl(2) with PR_SET_DUMPABLE 0: no core files, no reading of our memory by others.
static inline int clinux_forbid_core_dumps(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
