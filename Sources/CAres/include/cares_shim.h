#pragma once

// c-ares as the executor wants it: somebody else opens and closes its sockets and waits for them.
//
// This header includes nothing of the system's, and is the reason why there is a C file at all: ares.h
// brings <sys/socket.h> along, whose enumerations Swift then finds in this module instead of Glibc, and
// so no longer in files that do not import it.

// What c-ares asks of its owner; `user` is what cares_open was given.
typedef struct cares_calls {
    // A new non-blocking socket; -1 and errno as socket(2).
    int (*open)(void *user, int family, int type);
    // The socket is not needed any more.
    void (*close)(void *user, int descriptor);
    // What the socket waits for from now on.
    void (*want)(void *user, int descriptor, int reading, int writing);
    // A question has its outcome: one of the numbers below, and the message for CARES_SUCCESS.
    void (*answered)(void *query, int outcome, const unsigned char *message, int length);
} cares_calls;

enum {
    CARES_SUCCESS,
    CARES_NOT_FOUND,
    CARES_FORMAT,
    CARES_SERVER,
    CARES_NOT_IMPLEMENTED,
    CARES_REFUSED,
    CARES_TIMED_OUT,
    CARES_CANCELLED,
};

// A channel to these servers ("192.0.2.1:53,[2001:db8::1]:53"), which are asked in turns, each for so long
// at first; NULL without memory or with other servers than addresses in numbers. No files are read.
void *cares_open(const char *servers, int milliseconds, int tries, const cares_calls *calls, void *user);

// Ends all questions by CARES_CANCELLED, closes all sockets, and frees the channel.
void cares_close(void *channel);

// Asks for a kind of record (RFC 1035 §3.2.2); `query` is handed to `answered`, once, perhaps before this returns.
void cares_ask(void *channel, const char *name, int kind, void *query);

// A socket is ready to be read, another to be written; -1 for none. Sees to timeouts as well.
void cares_process(void *channel, int reading, int writing);

// Until the channel wants to be processed although no socket is ready; -1 when there is nothing to wait for.
long long cares_microseconds_left(void *channel);
