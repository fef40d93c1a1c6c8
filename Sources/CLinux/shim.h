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

// gettid(2), which glibc declares for GNU sources only.
static inline int clinux_gettid(void)
{
    return (int)syscall(SYS_gettid);
}
