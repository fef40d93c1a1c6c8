#pragma once

// Linux calls that Swift's Glibc module leaves out. GNU-only ones go through syscall(2):
// _GNU_SOURCE in a header that Swift imports splits fd_set between modules in debug builds.

#include <fcntl.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <string.h>
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

// pipe2(2), non-blocking and closed by exec.
static inline int clinux_pipe(int ends[2])
{
    return (int)syscall(SYS_pipe2, ends, O_NONBLOCK | O_CLOEXEC);
}

// fcntl(2) with F_SETPIPE_SZ: the capacity that the pipe has then, or -1.
static inline int clinux_set_pipe_capacity(int end, int bytes)
{
    return fcntl(end, 1031, bytes);
}

// splice(2) without waiting: bytes moved, or -1.
static inline long clinux_splice(int source, int target, unsigned long limit)
{
    // SPLICE_F_MOVE | SPLICE_F_NONBLOCK
    return syscall(SYS_splice, source, (void *)0, target, (void *)0, limit, 1 | 2);
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

// sched_setaffinity(2) of the calling thread; 0, or -1 and errno.
static inline int clinux_sched_setaffinity(const unsigned char *mask, unsigned long size)
{
    return (int)syscall(SYS_sched_setaffinity, 0, size, mask);
}

// The most descriptors that one message carries; the kernel's own limit is 253.
#define CLINUX_DESCRIPTORS_MAXIMUM 128

union clinux_descriptor_space {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(CLINUX_DESCRIPTORS_MAXIMUM * sizeof(int))];
};

// sendmsg(2) of bytes and, beside them, of at most CLINUX_DESCRIPTORS_MAXIMUM descriptors (SCM_RIGHTS).
static inline long clinux_send_descriptors(
    int channel, const void *bytes, unsigned long size, const int *descriptors, unsigned long count)
{
    union clinux_descriptor_space space;
    struct iovec piece = { (void *)bytes, size };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (count > 0) {
        memset(&space, 0, sizeof space);
        message.msg_control = &space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// recvmsg(2) of bytes and the descriptors beside them, which are close-on-exec; room for
// CLINUX_DESCRIPTORS_MAXIMUM of them, and their number goes to count.
static inline long clinux_receive_descriptors(
    int channel, void *bytes, unsigned long size, int *descriptors, unsigned long *count)
{
    union clinux_descriptor_space space;
    struct iovec piece = { bytes, size };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = &space;
    message.msg_controllen = sizeof space;
    *count = 0;
    long received = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        *count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(header), *count * sizeof(int));
    }
    return received;
}

// memfd_create(2): a file without a name that may be sealed, closed by exec; not executable where the kernel
// (6.3) knows such files. -1 and errno.
static inline int clinux_memory_file(const char *name)
{
    // MFD_CLOEXEC | MFD_ALLOW_SEALING, then MFD_NOEXEC_SEAL as well
    int file = (int)syscall(SYS_memfd_create, name, 1U | 2U | 8U);
    return file >= 0 ? file : (int)syscall(SYS_memfd_create, name, 1U | 2U);
}

// fcntl(2) with F_ADD_SEALS: the file's size cannot change any more, nor its seals. 0, or -1 and errno.
static inline int clinux_seal_size(int file)
{
    // F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW
    return fcntl(file, 1033, 1 | 2 | 4);
}

// Whether the file's size cannot change any more (fcntl(2) with F_GET_SEALS).
static inline int clinux_has_sealed_size(int file)
{
    int seals = fcntl(file, 1034);
    return seals >= 0 && (seals & 6) == 6;
}
