#pragma once

// liburing, and beside it only what its version 2.3 (Debian 12) lacks or what Swift cannot
// import: constants of later kernels and macros. No logic; no _GNU_SOURCE (it splits fd_set
// between modules in debug builds).

// Before liburing.h, which sets _XOPEN_SOURCE: the C library's types must look the same in every module.
#include <sys/select.h>

#include <liburing.h>

// Kernel 6.10: one receive may fill several provided buffers.
#define CURING_RECVSEND_BUNDLE (1U << 4)
#define CURING_FEAT_RECVSEND_BUNDLE (1U << 14)

// Kernel 6.12: a wait that is not over with the first completions, but goes on for a while to take more together.
#define CURING_FEAT_MIN_TIMEOUT (1U << 15)

struct curing_getevents_arg {
    unsigned long long sigmask;
    unsigned sigmask_sz;
    unsigned min_wait_usec;
    unsigned long long ts;
};

// Waits for `count` completions, for one once `microseconds` are over, and no longer than `limit` (NULL: for ever).
static inline int curing_gather(struct io_uring *ring, unsigned flags, unsigned count, unsigned microseconds,
                                struct __kernel_timespec *limit)
{
    struct curing_getevents_arg argument = {
        .sigmask_sz = _NSIG / 8, .min_wait_usec = microseconds, .ts = (unsigned long long)(uintptr_t)limit};
    return io_uring_enter2(ring->enter_ring_fd, 0, count, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | flags,
                           (sigset_t *)&argument, sizeof argument);
}

// A receive whose buffer the kernel picks from the group when bytes arrive. `length` 0 means the buffer's own size.
static inline void curing_prep_receive(struct io_uring_sqe *sqe, int fd, unsigned length, unsigned short group,
                                       unsigned short priority)
{
    io_uring_prep_rw(IORING_OP_RECV, sqe, fd, NULL, length, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = group;
    sqe->ioprio = priority;
}

static inline void curing_set_data(struct io_uring_sqe *sqe, unsigned long long data)
{
    io_uring_sqe_set_data64(sqe, data);
}

// Completions ready to be reaped, without a system call.
static inline unsigned curing_completions_ready(struct io_uring *ring)
{
    return io_uring_cq_ready(ring);
}

// The completion at `index` from the head; `index` is below curing_completions_ready().
static inline struct io_uring_cqe curing_completion(struct io_uring *ring, unsigned index)
{
    return ring->cq.cqes[(*ring->cq.khead + index) & *ring->cq.kring_mask];
}
