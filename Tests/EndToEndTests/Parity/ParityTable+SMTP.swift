extension ParityExchange {
    /// SMTP before and at the login (nginx-mail.md §3.3, §4, §6).
    static let smtp = read(.smtp, smtpCommands + smtpLogins + smtpMail + smtpBackEnds)

    private static let smtpCommands = #"""
        == smtp
        - commands in a row
        C NOOP | HELO h | EHLO e | ehlo e | RSET | noop | QUIT
        - several commands in one segment
        P8 EHLO e | NOOP | XXXX | RSET | QUIT | NOOP
        E HELO | HELO  | HELO h | HELO h x | HELO [127.0.0.1] | EHLO | EHLO e | EHLO e x | EHLO  e | EHLO e  | EHLO [IPv6:::1]
        E NOOP | NOOP x | NOOP x y | RSET | RSET x | QUIT | QUIT x | quit | STARTTLS | STARTTLS x | DATA | DATA x | VRFY a
        E EXPN a | HELP | HELP x | MAIL FROM:<a@b> | MAIL | RCPT TO:<a@b> | RCPT | AUTH | AUTH X | AUTH NONE | AUTH PLAIN x y
        E BDAT 5 LAST | ETRN x | TURN | SEND x | XCLIENT ADDR=1.2.3.4 | XFORWARD NAME=x | LHLO x | SOML x | SAML x | BURL x
        E X | HELOX h | HEL h | EHL0 e | NO OP | N00P | noop | \xE9 | 1 | <> | NOOP\x20 | NOOP a b c d e f g h i j k
        E NOOP a b c d e f g h i j k l | NOOP a b c d e f g h i j
        - an empty line
        X \r\n
        - a line that begins with a space
        C \x20NOOP
        - many errors
        C XXXX | XXXX | XXXX | XXXX | XXXX | NOOP
        - four errors are not too many
        C XXXX | XXXX | XXXX | XXXX | NOOP
        - known verbs are not counted
        C DATA | VRFY x | EXPN x | HELP | DATA | STARTTLS | NOOP
        - a bare LF is refused [bare-lf]
        X NOOP\n
        - a line in pieces
        Y NO
        X OP\r\n
        - a lone CR
        X NOOP\rX\r\n
        - a CR in front of CRLF
        X NOOP\r\r\n
        - NUL in a verb
        X NO\0P\r\n
        - NUL in an argument is an error [nul]
        X EHLO a\0b\r\n
        - a GET request ends the session [http]
        C GET / HTTP/1.0 | NOOP
        - pipelined behind a refused MAIL [refused-mail]
        P7 EHLO e | MAIL FROM:<a@b> | RCPT TO:<c@d> | NOOP
        - one by one behind a refused MAIL
        C EHLO e | MAIL FROM:<a@b> | RCPT TO:<c@d> | DATA | NOOP
        - without a delay early words are heard
        T NOOP
        C EHLO e
        == smtp-errors
        - two errors
        C XXXX | XXXX | NOOP
        - an over-long line
        X EHLO \{x*300}\r\n
        - over-long without an end
        X EHLO \{x*251}
        - just the buffer
        X NOOP \{x*248}\r\n
        - one byte less than the buffer
        X NOOP \{x*247}\r\n
        - short commands together longer than the buffer [compact]
        P61 NOOP | \{NOOP\r\n*60}
        == smtp-noerrors
        - the first error is too many
        C XXXX | NOOP
        - DATA with max_errors 0 [smtp-noerrors]
        C DATA | NOOP
        E VRFY x | EXPN x | HELP | STARTTLS | AUTH | HELO | RCPT | MAIL FROM:<a@b>
        == smtp-delay
        - who speaks before the greeting is sent away
        T EHLO e
        Z
        - who waits is greeted
        C NOOP | EHLO e
        == smtp-starttls
        - TLS is offered, and plain text works
        C EHLO e | HELO h | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - STARTTLS
        C EHLO e | STARTTLS
        Z
        - no handshake behind STARTTLS
        C STARTTLS
        Y EHLO e\r\n
        Z
        - STARTTLS with an argument
        C STARTTLS x
        Z
        == smtp-only
        - nothing but TLS
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | AUTH | AUTH LOGIN | NOOP
        - STARTTLS
        C STARTTLS
        Z
        - mail without a login needs TLS, too [none-without-tls]
        C HELO h | MAIL FROM:<a@b> | NOOP
        == smtp-all
        - mechanisms in their order
        C EHLO e | HELO h
        == smtp-none
        - no mechanisms
        C EHLO e

        """#

    private static let smtpLogins = #"""
        == smtp
        - PLAIN, and then the back-end
        C EHLO e | AUTH PLAIN | \b{\0ann\0pass} | MAIL FROM:<a@b> | NOOP
        - PLAIN with an initial response
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | MAIL FROM:<a@b>
        - LOGIN
        C EHLO e | AUTH LOGIN | \b{ann} | \b{pass} | NOOP
        - LOGIN with the name at once
        C EHLO e | auth login \b{ann} | \b{pass} | NOOP
        - with HELO
        C HELO h | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - with neither
        C AUTH PLAIN \b{\0ann\0pass} | NOOP
        - EHLO, then HELO
        C EHLO e | HELO h | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - pipelined
        P7 EHLO e | AUTH PLAIN \b{\0ann\0pass} | MAIL FROM:<a@b> | RCPT TO:<c@d>
        - cancelled {log-cancel}
        C AUTH PLAIN | * | NOOP
        - cancelled in LOGIN {log-cancel}
        C AUTH LOGIN | * | NOOP
        - cancelled behind the name {log-cancel}
        C AUTH LOGIN | \b{ann} | * | NOOP
        E AUTH PLAIN ! | AUTH PLAIN \b{ann} | AUTH PLAIN \b{\0ann} | AUTH LOGIN ! | AUTH LOGIN x y | AUTH CRAM-MD5 | AUTH EXTERNAL
        E AUTH CRAM-MD5 x | AUTH PLAIN = | AUTH PLAIN A | AUTH NTLM x | AUTH XOAUTH2 x
        - a login name in xtext
        C EHLO e | AUTH PLAIN \b{\0ann@example.com\0pass} | NOOP
        - a login name that needs escaping in XCLIENT [xtext]
        C EHLO e | AUTH PLAIN \b{\0a n+n=\0pass} | NOOP
        - refused
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: Invalid login or password
        - refused with a code
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: Try later | Auth-Error-Code: 451 4.3.0
        - a code that would be success [error-code]
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: Try later | Auth-Error-Code: 250 OK
        - a code without an enhanced one
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: Try later | Auth-Error-Code: 454
        - refused, and may try again
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | AUTH LOGIN | \b{ann} | \b{pass} | NOOP
        A Auth-Status: No | Auth-Wait: 1 | Auth-Error-Code: 535 5.7.8 || OK
        - an empty Auth-Status [empty-status]
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: | $S
        - no server
        C EHLO e | AUTH PLAIN \b{\0ann\0x}
        A Auth-Status: OK
        - no answer {log-closed}
        C EHLO e | AUTH PLAIN \b{\0ann\0x}
        A !close
        - another user and password
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: OK | $S | Auth-User: bob | Auth-Pass: secret
        - asked again after a while
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | NOOP
        A Auth-Status: WAIT | Auth-Wait: 1 || OK
        - another authorisation identity [plain]
        C EHLO e | AUTH PLAIN \b{bob\0ann\0pass} | NOOP
        - a line end in a user [control]
        C EHLO e | AUTH PLAIN \b{\0an\r\nn\0pass} | NOOP
        == smtp-all
        - CRAM-MD5
        C EHLO e | AUTH CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef} | NOOP
        - CRAM-MD5 whose digest is short {log-login}
        C EHLO e | AUTH CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcde} | NOOP
        - CRAM-MD5 that is no base64
        C EHLO e | AUTH CRAM-MD5 | ! | NOOP
        - EXTERNAL
        C EHLO e | AUTH EXTERNAL | \b{ann} | NOOP
        - EXTERNAL with an initial response
        C EHLO e | AUTH EXTERNAL \b{ann} | NOOP
        == smtp-noxclient
        - without XCLIENT
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - without XCLIENT, with HELO
        C HELO h | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - without XCLIENT and HELO
        C AUTH PLAIN \b{\0ann\0pass} | NOOP
        == smtp-login
        - the user logs in at the back-end, too
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - with the service's user and password
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        A Auth-Status: OK | $S | Auth-User: bob | Auth-Pass: secret
        - refused there
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        B 220 hi | 250 x | 220 x | 250 x | 535 no
        - the service says no [auth-smtp]
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        A Auth-Status: OK | Auth-SMTP: no | $S
        == smtp-noxclient
        - the service says yes [auth-smtp]
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        A Auth-Status: OK | Auth-SMTP: yes | $S
        == smtp-login-noxclient
        - the same without XCLIENT
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - refused there, and passed on
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        B 220 hi | 250-x\r\n250 AUTH PLAIN | 535 5.7.8 no
        - success in the wrong place is no refusal [false-success]
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        B 220 hi | 250 x | 250 ok
        - several lines are cut to the last [one-line]
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        B 220 hi | 250 x | 535-a\r\n535 b

        """#

    private static let smtpMail = #"""
        == smtp-none
        - mail without a login
        C EHLO e | MAIL FROM:<a@b> | RCPT TO:<c@d> | RCPT TO:<e@f> | DATA
        - with parameters, and odd ones
        C EHLO e | MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME | RCPT TO:<c@d> NOTIFY=NEVER | NOOP
        - small letters and spaces
        C helo h | mail from: <a@b> | rcpt to: <c@d> | noop
        - spaces at the end
        C HELO h | MAIL FROM:<a@b>\x20 | RCPT TO:<c@d>\x20\x20 | NOOP
        - without HELO
        C MAIL FROM:<> | RCPT TO:<c@d> | NOOP
        - pipelined
        P4 EHLO e | MAIL FROM:<a@b> | RCPT TO:<c@d> | DATA
        E MAIL | MAIL  | MAIL x | RCPT | RCPT TO:<c@d> | DATA
        - MAIL twice
        C HELO h | MAIL FROM:<a@b> | MAIL FROM:<x@y> | RCPT TO:<c@d> | NOOP
        - RSET in between
        C HELO h | MAIL FROM:<a@b> | RSET | RCPT TO:<c@d> | NOOP
        - HELO in between
        C HELO h | MAIL FROM:<a@b> | HELO i | RCPT TO:<c@d> | NOOP
        - RCPT without an argument
        C HELO h | MAIL FROM:<a@b> | RCPT | NOOP
        - pipelined around RSET
        P6 HELO h | MAIL FROM:<a@b> | RSET | MAIL FROM:<c@d> | RCPT TO:<e@f> | NOOP
        - the recipient is refused
        C HELO h | MAIL FROM:<a@b> | RCPT TO:<c@d> | NOOP
        A Auth-Status: No such user | Auth-Error-Code: 550 5.1.1
        - the recipient is refused, another may follow
        C HELO h | MAIL FROM:<a@b> | RCPT TO:<c@d> | RCPT TO:<e@f> | NOOP
        A Auth-Status: No such user | Auth-Error-Code: 550 5.1.1 | Auth-Wait: 1 || OK
        - a login although none is asked for
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - control bytes and others in HELO, MAIL and RCPT [envelope-controls]
        C HELO h\x01x | MAIL FROM:<a%\x02b> | RCPT TO:<c\x03d> | NOOP
        - bytes that stay as they are
        C HELO h%x | MAIL FROM:<a%b+c"\xE9> | RCPT TO:<c%20d> | NOOP
        - the back-end refuses the sender
        C HELO h | MAIL FROM:<a@b> | RCPT TO:<c@d> | NOOP
        B 220 hi | 250 x | 220 x | 250 x | 550 no
        - the back-end refuses the recipient
        C HELO h | MAIL FROM:<a@b> | RCPT TO:<c@d> | RCPT TO:<e@f> | NOOP
        B 220 hi | 250 x | 220 x | 250 x | 250 x | 550 5.1.1 no
        - a reply of several lines to the recipient
        C HELO h | MAIL FROM:<a@b> | RCPT TO:<c@d> | NOOP
        B 220 hi | 250 x | 220 x | 250 x | 250 x | 250-one\r\n250 two
        == smtp-mixed
        - mail without a login, without XCLIENT
        C EHLO e | MAIL FROM:<a@b> | RCPT TO:<c@d> | DATA
        - with HELO, without XCLIENT
        C HELO h | MAIL FROM:<a@b> | RCPT TO:<c@d> | DATA
        - with neither
        C MAIL FROM:<a@b> | RCPT TO:<c@d> | DATA
        - a login during a mail transaction [auth-in-mail]
        C EHLO e | MAIL FROM:<a@b> | AUTH PLAIN \b{\0ann\0pass}
        - nothing of a failed login is in a later mail [stale-password]
        C EHLO e | AUTH PLAIN \b{\0ann\0x} | MAIL FROM:<a@b> | RCPT TO:<c@d> | NOOP
        A Auth-Status: No | Auth-Wait: 1 || OK

        """#

    private static let smtpBackEnds = #"""
        == smtp
        - a refusing greeting
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B 554 no
        - a greeting of several lines
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        B 220-one\r\n220 two | 250-x\r\n250-XVERP\r\n250 y
        - EHLO is refused
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B 220 hi | 502 no
        - XCLIENT is refused
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B 220 hi | 250 x | 503 no
        - XCLIENT is answered with 250
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP
        B 220 hi | 250 x | 250 ok
        - the second EHLO is refused
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B 220 hi | 250 x | 220 ok | 500 no
        - closed at once {log-closed}
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B !close
        - closed in the middle {log-closed}
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B 220 hi | 250 x | !close
        - garbage {log-controls}
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B !\x16\x03\x01\x02\x03\r\n
        - a long reply {log-cut}
        C EHLO e | AUTH PLAIN \b{\0ann\0pass}
        B 220 \{x*5000}
        == smtp-proxy
        - a PROXY header
        C EHLO e | AUTH PLAIN \b{\0ann\0pass} | NOOP

        """#
}

extension Mail {
    /// The protocol's table.
    var parityExchanges: [ParityExchange] {
        switch self {
        case .imap: ParityExchange.imap
        case .pop3: ParityExchange.pop3
        case .smtp: ParityExchange.smtp
        }
    }
}
