extension ParityExchange {
    /// IMAP before and at the login (nginx-mail.md §3.3, §4, §6).
    static let imap = read(.imap, imapCommands + imapLogins + imapSASL + imapBackEnds)

    private static let imapCommands = #"""
        == imap
        - commands in a row
        C a CAPABILITY | b NOOP | c noop | d CaPaBiLiTy | e LOGOUT
        - several commands in one segment
        P7 a NOOP | b CAPABILITY | c NONSENSE | d NOOP | e LOGOUT | f NOOP
        E a CAPABILITY | a CAPABILITY x | a capability | a LOGOUT | a LOGOUT x y | a logout | a NOOP | a NOOP x
        E a NOOP "x" | a NOOP x y z | a STARTTLS | a STARTTLS x | a LOGIN | a LOGIN ann | a LOGIN ann b c
        E a SELECT INBOX | a ENABLE X | a EXAMINE x | a LIST "" * | a NAMESPACE | a GETQUOTAROOT INBOX | a IDLE
        E a FETCH 1 ALL | a XLIST | a APPEND x {3} | a UNSELECT | a CHECK | a UID FETCH 1 (FLAGS) | a LOGINX | a LOGI
        E a | a  | a\t | ! | * | + | * NOOP | + NOOP | *a NOOP | a* NOOP | a+b NOOP | a/b NOOP | a"b NOOP | a(b NOOP
        E 1 NOOP | A1 NOOP | a.b NOOP | a-b NOOP | a_b NOOP | a:b NOOP | a,b NOOP | a=b NOOP | a[b NOOP | a@b NOOP
        E \{x*31} NOOP | \{x*32} NOOP | \{x*33} NOOP | \{x*100} NOOP | a\x80 NOOP | \xE9 NOOP | a\x7F NOOP
        E a  NOOP | a NOOP  | a  NOOP  | a NO OP | a NOOPX | a N00P | a NOOP( | a 1NOOP | a N-OP | a .
        E NOOP | CAPABILITY | LOGIN ann b | LOGOUT
        - an empty line gets no stale tag [stale-tag]
        C a NOOP
        C \x20 | b NOOP
        - an empty line
        X \r\n
        - many errors
        C a X | b X | c X | d X | e X | f NOOP
        - four errors are not too many
        C a X | b X | c X | d X | e NOOP
        - a bare LF ends a line
        X a NOOP\n
        X b CAPABILITY\n
        - a line in pieces
        Y a NO
        X OP\r\n
        - a lone CR
        X a NOOP\rX\r\n
        - a CR in front of CRLF
        X a NOOP\r\r\n
        - NUL in a verb
        X a NO\0OP\r\n
        - 8-bit in a verb
        X a NO\xE9P\r\n
        - ID is answered before the login [id]
        C a ID NIL
        - ID with a list [id]
        C a ID ("name" "x" "version" {3+}\r\n1.0)
        - ID with lists in its list [id]
        C a ID ("name" ("a" (NIL)) "x" ())
        - ID with a synchronising literal [id]
        C a ID ("name" {3} | abc "v" NIL) | b NOOP
        - a GET request ends the session [http]
        C GET / HTTP/1.0 | a NOOP
        - NUL in an argument is an error [nul]
        X a NOOP x\0y\r\n
        == imap-errors
        - two errors
        C a X | b X | c NOOP
        - one error
        C a X | b NOOP
        - a good command between
        C a X | b NOOP | c X | d NOOP
        - wrong at this time is not counted
        C a STARTTLS | b LOGIN | c LOGIN a b c | d AUTHENTICATE X | e NOOP
        - an over-long line
        X a NOOP \{x*300}\r\n
        - over-long without an end
        X a NOOP \{x*256}
        - an over-long word
        X \{x*300}\r\n
        - one byte less than the buffer
        X a NOOP \{x*246}\r\n
        - just the buffer
        X a NOOP \{x*247}\r\n
        - a literal that does not fit is refused [big-literal]
        C a LOGIN ann {5000}
        Z
        - short commands together longer than the buffer [compact]
        P51 a NOOP | \{ab NOOP\r\n*50}
        == imap-noerrors
        - the first error is too many
        C a X | b NOOP
        - not an error
        C a STARTTLS | b NOOP
        == imap-all
        - capabilities in their order
        C a CAPABILITY
        == imap-starttls
        - TLS is offered, and plain text works
        C a CAPABILITY | b LOGIN ann pass | c NOOP
        - STARTTLS
        C a STARTTLS
        Z
        - no handshake behind STARTTLS
        C a STARTTLS
        Y b NOOP\r\nc NOOP\r\n
        Z
        - a command behind STARTTLS in clear is dropped
        P1 a STARTTLS | b NOOP
        Z
        - an HTTP request behind STARTTLS
        C a STARTTLS
        Y GET / HTTP/1.0\r\n\r\n
        Z
        - a refused STARTTLS
        C STARTTLS | a STARTTLSX | b NOOP
        - STARTTLS with arguments
        C a STARTTLS x y
        Z
        == imap-only
        - nothing but TLS
        C a CAPABILITY | b LOGIN ann pass | c AUTHENTICATE PLAIN | d AUTHENTICATE PLAIN \b{\0ann\0pass} | e NOOP
        - no CRAM-MD5 either
        C a AUTHENTICATE CRAM-MD5 | b AUTHENTICATE LOGIN | c LOGOUT
        - a literal before TLS is not asked for [big-literal]
        C a LOGIN {3}
        Z
        - STARTTLS
        C a NOOP | b STARTTLS
        Z
        == imap-login
        - only LOGIN is offered, PLAIN works
        C a CAPABILITY | b AUTHENTICATE PLAIN \b{\0ann\0pass}

        """#

    private static let imapLogins = #"""
        == imap
        - a plain login, and then the back-end
        C a LOGIN ann pass | b NOOP | c SELECT x
        E a login ann pass | a LOGIN ann "pass" | a LOGIN "ann" pass | a LOGIN "ann" "pa ss" | a LOGIN "a\\"nn" "p\\\\w"
        E a LOGIN "ann""pass" | a LOGIN ann "" | a LOGIN "" pass | a LOGIN "" "" | a LOGIN ann pass  | a  LOGIN  ann  pass
        E a LOGIN a"b c"d | a LOGIN ann p%ss | a LOGIN ann pa+ss | a LOGIN ann@example.com p\xE9 | a LOGIN \xC3\xA9 x
        E a LOGIN ann {pass | a LOGIN ann pass} | a LOGIN ann (pass) | a LOGIN ann pa*ss | a LOGIN NIL NIL
        E a LOGIN ann "pa\tss" | a LOGIN "ann x
        - an unterminated quote is an error [quote]
        C a LOGIN ann "pass
        - an unterminated quote leaves the next command alone [quote]
        C a LOGIN "ann | b LOGIN ann pass
        - a tab in a login name [control]
        C a LOGIN ann\tx y
        - control bytes in a login name [control]
        C a LOGIN a\x01b pass
        - literals
        C a LOGIN {3} | ann {4} | pass
        - one literal
        C a LOGIN ann {4} | pass
        - a literal and an atom
        C a LOGIN {3} | ann pass
        - a literal holds anything
        C a LOGIN {5} | a " \\ {6} | \x80 %+{x
        - a literal with a line end in it
        X a LOGIN ann {6}\r\n
        P2 pa\r\nss
        - non-synchronising literals
        P1 a LOGIN {3+} | ann {4+} | pass
        - both kinds
        C a LOGIN {3+}\r\nann {4} | pass
        - literals cut in pieces
        Y a LOGIN {3
        Y +}\r\nan
        Y n {4+}\r
        Y \npa
        X ss\r\n
        - an empty literal as a password [empty-literal]
        C a LOGIN ann {0} | \x20
        - an empty literal that needs no answer [empty-literal]
        P1 a LOGIN ann {0+}\r\n
        - behind a literal something else than a space [literal-form]
        C a LOGIN {3} | annx {4} | b NOOP
        - a literal is more than its length says
        C a LOGIN ann {2} | pass | b NOOP
        - no number in a literal [literal-form]
        C a LOGIN {}
        E a LOGIN {x} | a LOGIN {-1} | a LOGIN {+5} | a LOGIN {5++} | a LOGIN {5+ | a LOGIN {5x} | a LOGIN { 5}
        - a literal whose length is no number of any machine [big-literal]
        C a LOGIN {99999999999999999999}
        Z
        E a LOGIN {5} x
        - a literal of 4 GiB [big-literal]
        C a LOGIN {4294967296}
        Z
        - a literal with leading zeros [literal-form]
        C a LOGIN {00003} | ann pass
        - a refused command with a non-synchronising literal ends the session
        P a SELECT {3+} | abc | b NOOP
        - a mistyped one
        P a LOGINX {3+} | abc | b NOOP
        - a command of too many arguments with one
        P a LOGIN a b c d {3+} | abc | b NOOP
        - four arguments
        C a LOGIN a b c d | b NOOP
        - a synchronising literal behind a mistyped command
        C a SELECT {3} | b NOOP
        - what follows the login is the back-end's
        P a LOGIN ann pass | b SELECT INBOX | c FETCH 1 ALL
        - refused
        C a LOGIN ann wrong | b NOOP
        A Auth-Status: Invalid login or password
        - refused, and may try again
        C a LOGIN ann wrong | b LOGIN ann right | c NOOP
        A Auth-Status: No, no | Auth-Wait: 1 || OK
        - refused, and the next command was there already
        P a LOGIN ann wrong | b NOOP | c NOOP
        A Auth-Status: No | Auth-Wait: 1
        - the tag of a refused login is no longer used [stale-tag]
        C a LOGIN ann wrong | ! | b NOOP
        A Auth-Status: No | Auth-Wait: 1
        - a garbled wait is none
        C a LOGIN ann x | b NOOP
        A Auth-Status: No | Auth-Wait: soon
        - a wait of 0
        C a LOGIN ann x | b NOOP
        A Auth-Status: No | Auth-Wait: 0
        - asked again after a while
        C a LOGIN ann x
        A Auth-Status: WAIT | Auth-Wait: 1 || OK
        - the service gives another user and password
        C a LOGIN ann x | b NOOP
        A Auth-Status: OK | $S | Auth-User: bob | Auth-Pass: secret
        - headers in any case, spaces around
        C a LOGIN ann x
        A auth-status:OK | AUTH-SERVER:    $A | $S | X: y | Auth-Whatever
        - the last one of several headers counts
        C a LOGIN ann x
        A Auth-Status: OK | Auth-User: one | Auth-User: two | $S
        - a failure is not undone
        C a LOGIN ann x
        A Auth-Status: No | Auth-Status: OK | $S
        - no server
        C a LOGIN ann x
        A Auth-Status: OK
        - no port
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: 127.0.0.1
        - no address
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Port: 1
        - a slip in an address
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: 127.0.0.256 | Auth-Port: 1
        - a name for an address {log-name}
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: localhost | Auth-Port: 1
        - a port that is none
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: 127.0.0.1 | Auth-Port: x
        - port 0
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: 127.0.0.1 | Auth-Port: 0
        - port 65536
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: 127.0.0.1 | Auth-Port: 65536
        - nobody listens there {log-connect}
        C a LOGIN ann x
        A Auth-Status: OK | Auth-Server: 127.0.0.1 | Auth-Port: 1
        - a status of 500 with good headers
        C a LOGIN ann x
        A !HTTP/1.0 500 Oops\r\nAuth-Status: OK\r\nAuth-Server: $H\r\nAuth-Port: $P\r\n\r\n
        - headers at once
        C a LOGIN ann x
        A !Auth-Status: OK\r\nAuth-Server: $H\r\nAuth-Port: $P\r\n\r\n
        - bare line feeds in the answer
        C a LOGIN ann x
        A !HTTP/1.0 200 OK\nAuth-Status: OK\nAuth-Server: $H\nAuth-Port: $P\n\n
        - no Auth-Status is success
        C a LOGIN ann x
        A $S
        - no Auth-Status with a status of 404 [status]
        C a LOGIN ann x
        A !HTTP/1.0 404 Not Found\r\nAuth-Server: $H\r\nAuth-Port: $P\r\n\r\n
        - an empty Auth-Status gets a text [empty-status]
        C a LOGIN ann x
        A Auth-Status:
        - control bytes in Auth-Status are not shown [auth-controls]
        C a LOGIN ann x
        A Auth-Status: no\x07no
        - a header that is none
        C a LOGIN ann x
        A !HTTP/1.0 200 OK\r\nAuth_Status: OK\r\n\r\n
        - a carriage return in the status line
        C a LOGIN ann x
        A !HTTP/1.0 200\rOK\r\nAuth-Status: OK\r\n\r\n
        - no answer {log-closed}
        C a LOGIN ann x
        A !close
        - over 1024 bytes of answer [auth-size]
        C a LOGIN ann x
        A Auth-Status: OK | X-Filler: \{x*1100} | $S

        """#

    private static let imapSASL = #"""
        == imap
        - PLAIN
        C a AUTHENTICATE PLAIN | \b{\0ann\0pass} | b NOOP
        - PLAIN with an initial response
        C a AUTHENTICATE PLAIN \b{\0ann\0pass} | b NOOP
        - LOGIN
        C a AUTHENTICATE LOGIN | \b{ann} | \b{pass} | b NOOP
        - LOGIN with the name at once
        C a authenticate login \b{ann} | \b{pass} | b NOOP
        E a AUTHENTICATE | a AUTHENTICATE X | a AUTHENTICATE PLAIN x y | a AUTHENTICATE LOGIN x y | a AUTHENTICATE CRAM-MD5
        E a AUTHENTICATE XOAUTH2 x | a AUTHENTICATE NTLM | a AUTHENTICATE EXTERNAL
        - the name of a mechanism in quotes
        C a AUTHENTICATE "PLAIN" | \b{\0ann\0pass}
        - EXTERNAL that is not configured, with an initial response [external]
        C a AUTHENTICATE EXTERNAL \b{ann} | b NOOP
        E a AUTHENTICATE PLAIN ! | a AUTHENTICATE PLAIN \b{ann} | a AUTHENTICATE PLAIN \b{\0ann}
        E a AUTHENTICATE PLAIN \b{x} | a AUTHENTICATE PLAIN A | a AUTHENTICATE PLAIN =
        - an empty password in PLAIN
        C a AUTHENTICATE PLAIN \b{\0ann\0}
        - no padding
        C a AUTHENTICATE PLAIN AGFubgBwYXNzdzE
        - padding inside [base64]
        C a AUTHENTICATE PLAIN AAA=A
        - bytes behind the padding [base64]
        C a AUTHENTICATE PLAIN \b{\0ann\0pass1}xx | b NOOP
        - an empty user in PLAIN [plain]
        C a AUTHENTICATE PLAIN \b{\0\0pass} | b NOOP
        - a third NUL in PLAIN [plain]
        C a AUTHENTICATE PLAIN \b{\0ann\0pa\0ss} | b NOOP
        - the user as authorisation identity
        C a AUTHENTICATE PLAIN \b{ann\0ann\0pass} | b NOOP
        - another authorisation identity [plain]
        C a AUTHENTICATE PLAIN \b{bob\0ann\0pass} | b NOOP
        - a line end in a password goes in a literal
        P2 a AUTHENTICATE PLAIN \b{\0ann\0pa\r\nss}
        C b NOOP
        - a line end in a user [control]
        C a AUTHENTICATE PLAIN \b{\0an\r\nn\0pass} | b NOOP
        - cancelled {log-cancel}
        C a AUTHENTICATE PLAIN | * | b NOOP
        - cancelled in LOGIN, before the name [untagged]
        C a AUTHENTICATE LOGIN | * | b NOOP
        - cancelled in LOGIN, behind the name {log-cancel}
        C a AUTHENTICATE LOGIN | \b{ann} | * | b NOOP
        - a name that is no base64 [untagged]
        C a AUTHENTICATE LOGIN | ! | b NOOP
        - a password that is no base64 {log-login}
        C a AUTHENTICATE LOGIN | \b{ann} | ! | b NOOP
        - a name that is no base64 in the command
        C a AUTHENTICATE LOGIN ! | b NOOP
        - an empty response
        X a AUTHENTICATE PLAIN\r\n
        X \r\n
        - a response with words behind it [response-words]
        C a AUTHENTICATE PLAIN | \b{\0ann\0pass} more | b NOOP
        - pipelined responses
        P4 a AUTHENTICATE LOGIN | \b{ann} | \b{pass} | b NOOP
        - CRAM-MD5 that is not configured
        C a AUTHENTICATE CRAM-MD5 | b NOOP
        - refused, then another way
        C a AUTHENTICATE PLAIN \b{\0ann\0wrong} | b AUTHENTICATE LOGIN | \b{ann} | \b{pass} | c NOOP
        A Auth-Status: No | Auth-Wait: 1 || OK
        == imap-all
        - CRAM-MD5
        C a AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef} | b NOOP
        A Auth-Status: OK | $S | Auth-Pass: secret
        - CRAM-MD5 without a password from the service
        C a AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef} | b NOOP
        - CRAM-MD5 with an initial response
        C a AUTHENTICATE CRAM-MD5 x | b NOOP
        - CRAM-MD5 whose digest is short {log-login}
        C a AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcde} | b NOOP
        - CRAM-MD5 without a digest {log-login}
        C a AUTHENTICATE CRAM-MD5 | \b{ann} | b NOOP
        - CRAM-MD5 that is no base64
        C a AUTHENTICATE CRAM-MD5 | ! | b NOOP
        - CRAM-MD5 with a digest that is no hexadecimal [cram]
        C a AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdeg} | b NOOP
        - CRAM-MD5 with a space in the name [cram]
        C a AUTHENTICATE CRAM-MD5 | \b{ann x 0123456789abcdef0123456789abcdef} | b NOOP
        - CRAM-MD5 refused and tried again
        C a AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef} | b AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef}
        A Auth-Status: No | Auth-Wait: 1 || Auth-Status: OK | $S | Auth-Pass: secret
        - the digest is kept for a question that is repeated [wait-digest]
        C a AUTHENTICATE CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef}
        A Auth-Status: WAIT | Auth-Wait: 1 || Auth-Status: OK | $S | Auth-Pass: secret
        - EXTERNAL
        C a AUTHENTICATE EXTERNAL | \b{ann} | b NOOP
        A Auth-Status: OK | $S | Auth-Pass: secret
        - EXTERNAL with an initial response
        C a AUTHENTICATE EXTERNAL \b{ann} | b NOOP
        A Auth-Status: OK | $S | Auth-Pass: secret
        - EXTERNAL without a password from the service
        C a AUTHENTICATE EXTERNAL \b{ann} | b NOOP
        - EXTERNAL that is no base64
        C a AUTHENTICATE EXTERNAL | ! | b NOOP
        - nothing of a failed PLAIN is in a later EXTERNAL [stale-password]
        C a AUTHENTICATE PLAIN \b{\0ann\0stale} | b AUTHENTICATE EXTERNAL \b{ann}
        A Auth-Status: No | Auth-Wait: 1 || Auth-Status: OK | $S | Auth-Pass: secret

        """#

    private static let imapBackEnds = #"""
        == imap
        - the back-end's words reach the client
        C a LOGIN ann x | b NOOP
        B * OK hi | + go | + go | $T OK [CAPABILITY IMAP4rev1] Logged in
        - an untagged line in front of the result [untagged-line]
        C a LOGIN ann x | b NOOP
        B * OK hi | + go | + go | * CAPABILITY IMAP4rev1\r\n$T OK in
        - small letters [case]
        C a LOGIN ann x | b NOOP
        B * OK hi | + go | + go | $T ok in
        - PREAUTH
        C a LOGIN ann x
        B * PREAUTH hi
        - BYE at once
        C a LOGIN ann x
        B * BYE busy
        - closed at once {log-closed}
        C a LOGIN ann x
        B !close
        - garbage {log-controls}
        C a LOGIN ann x
        B !\x16\x03\x01\x02\x03\r\n
        - no literal is wanted
        C a LOGIN ann x
        B * OK hi | $T BAD no
        - refused {log-tag}
        C a LOGIN ann x
        B * OK hi | + go | + go | $T NO wrong
        - closed in the middle {log-closed}
        C a LOGIN ann x
        B * OK hi | + go | !close
        - another tag
        C a LOGIN ann x
        B * OK hi | + go | + go | z OK in
        - a long greeting {log-cut}
        C a LOGIN ann x
        B * OK \{x*5000}
        - literals that need no answer are used where they are announced [literal-plus]
        C a LOGIN ann x
        B * OK [CAPABILITY IMAP4rev1 LITERAL+] hi | $T OK in
        - NUL in a password is never sent on [nul-credentials]
        C a AUTHENTICATE PLAIN \b{\0ann\0} | b NOOP
        A Auth-Status: OK | $S | Auth-Pass: a\0b
        == imap-pass
        - the refusal is passed on {log-tag}
        C a LOGIN ann x
        B * OK hi | + go | + go | $T NO [AUTHENTICATIONFAILED] wrong
        - BYE is passed on
        C a LOGIN ann x
        B * BYE busy
        - what is no refusal is not passed on [false-success]
        C a LOGIN ann x
        B * OK hi | + go | + go | z OK in
        - one line only [one-line]
        C a LOGIN ann x
        B * OK hi | $T NO a\r\n* MORE b
        - control bytes are replaced [one-line]
        C a LOGIN ann x
        B * OK hi | $T NO a\x07b
        == imap-proxy
        - a PROXY header
        C a LOGIN ann x | b NOOP

        """#
}
