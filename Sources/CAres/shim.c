#include "cares_shim.h"

#include <ares.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

// A channel of ours.
struct channel {
    ares_channel ares;
    cares_calls calls;
    void *user;
};

// A question in flight.
struct question {
    struct channel *channel;
    void *query;
};

static ares_socket_t open_socket(int family, int type, int protocol, void *channel)
{
    (void)protocol;
    const struct channel *self = channel;
    return self->calls.open(self->user, family, type);
}

static int close_socket(ares_socket_t descriptor, void *channel)
{
    const struct channel *self = channel;
    self->calls.close(self->user, descriptor);
    return 0;
}

static int connect_socket(ares_socket_t descriptor, const struct sockaddr *address, ares_socklen_t length, void *channel)
{
    (void)channel;
    return connect(descriptor, address, length);
}

static ares_ssize_t receive(ares_socket_t descriptor, void *bytes, size_t count, int flags, struct sockaddr *address,
                            ares_socklen_t *length, void *channel)
{
    (void)channel;
    return recvfrom(descriptor, bytes, count, flags, address, length);
}

// As writev(2), but a server that has hung up must not raise SIGPIPE.
static ares_ssize_t send_pieces(ares_socket_t descriptor, const struct iovec *pieces, int count, void *channel)
{
    (void)channel;
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions functions = {open_socket, close_socket, connect_socket, receive, send_pieces};

static void want(void *channel, ares_socket_t descriptor, int reading, int writing)
{
    const struct channel *self = channel;
    self->calls.want(self->user, descriptor, reading, writing);
}

void *cares_open(const char *servers, int milliseconds, int tries, const cares_calls *calls, void *user)
{
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return NULL;
    struct channel *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->calls = *calls;
    self->user = user;
    struct ares_options options = {0};
    // No search list. What servers answer is told as it is: c-ares itself would turn the last server's
    // refusal into "connection refused".
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP;
    options.timeout = milliseconds;
    options.tries = tries;
    options.sock_state_cb = want;
    options.sock_state_cb_data = self;
    options.resolvconf_path = "/dev/null";
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_ROTATE | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_RESOLVCONF;
    if (ares_init_options(&self->ares, &options, mask) != ARES_SUCCESS) {
        free(self);
        return NULL;
    }
    ares_set_socket_functions(self->ares, &functions, self);
    if (ares_set_servers_ports_csv(self->ares, servers) != ARES_SUCCESS) {
        cares_close(self);
        return NULL;
    }
    return self;
}

void cares_close(void *channel)
{
    struct channel *self = channel;
    ares_destroy(self->ares);
    free(self);
}

static int outcome(int status)
{
    switch (status) {
    case ARES_SUCCESS: return CARES_SUCCESS;
    case ARES_ENODATA:
    case ARES_ENOTFOUND: return CARES_NOT_FOUND;
    case ARES_EFORMERR:
    case ARES_EBADRESP:
    case ARES_EBADNAME:
    case ARES_EBADQUERY: return CARES_FORMAT;
    case ARES_ENOTIMP: return CARES_NOT_IMPLEMENTED;
    case ARES_EREFUSED: return CARES_REFUSED;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED: return CARES_TIMED_OUT;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED: return CARES_CANCELLED;
    default: return CARES_SERVER;
    }
}

static void answered(void *argument, int status, int timeouts, unsigned char *message, int length)
{
    (void)timeouts;
    struct question question = *(struct question *)argument;
    free(argument);
    question.channel->calls.answered(question.query, outcome(status), message, length);
}

void cares_ask(void *channel, const char *name, int kind, void *query)
{
    struct channel *self = channel;
    struct question *question = malloc(sizeof *question);
    if (!question) {
        self->calls.answered(query, CARES_SERVER, NULL, 0);
        return;
    }
    *question = (struct question){self, query};
    const int internet = 1;
    ares_query(self->ares, name, internet, kind, answered, question);
}

void cares_process(void *channel, int reading, int writing)
{
    struct channel *self = channel;
    ares_process_fd(self->ares, reading < 0 ? ARES_SOCKET_BAD : reading, writing < 0 ? ARES_SOCKET_BAD : writing);
}

long long cares_microseconds_left(void *channel)
{
    struct channel *self = channel;
    struct timeval left;
    if (!ares_timeout(self->ares, NULL, &left)) return -1;
    return (long long)left.tv_sec * 1000000 + left.tv_usec;
}
