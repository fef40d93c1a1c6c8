extension ParityExchange {
    /// POP3 before and at the login (nginx-mail.md §3.3, §4, §6).
    static let pop3 = read(.pop3, pop3Commands + pop3Logins + pop3BackEnds)

    private static let pop3Commands = #"""
        == pop3
        - commands in a row
        C CAPA | NOOP | capa | NoOp | QUIT
        - several commands in one segment
        P9 NOOP | CAPA | XXXX | NOOP | QUIT | NOOP
        E CAPA | CAPA x | NOOP | NOOP x | NOOP x y z | NOOP a b c d | QUIT | QUIT x | quit | STLS | STLS x | AUTH | AUTH  | AUTH X
        E STAT | LIST | RETR 1 | DELE 1 | TOP 1 1 | UIDL | RSET | XTND x | LANG | UTF8 | NOO | NOOPX | NO OP | N00P | X
        E PASS | PASS x | USER | USER  | USER ann | USER ann bob | USER  ann | USER ann  | APOP | APOP ann | APOP ann x | APOP a b c
        E HELO x | A NOOP | \xE9OOP | noop | QUIT  | NOOP  | APOP ann 0123456789abcdef0123456789abcdef | STARTTLS
        - an empty line
        X \r\n
        - a line of a space
        X \x20\r\n
        - a line that begins with a space
        C \x20NOOP
        - many errors
        C XXXX | XXXX | XXXX | XXXX | XXXX | NOOP
        - four errors are not too many
        C XXXX | XXXX | XXXX | XXXX | NOOP
        - a bare LF ends a line
        X NOOP\n
        X CAPA\n
        - a line in pieces
        Y NO
        X OP\r\n
        - a lone CR
        X NOOP\rX\r\n
        - a CR in front of CRLF
        X NOOP\r\r\n
        - NUL in a verb
        X NO\0P\r\n
        - a GET request ends the session [http]
        C GET / HTTP/1.0 | NOOP
        - NUL in an argument is an error [nul]
        X USER a\0b\r\n
        - more than 128 bytes [pop3-buffer]
        C USER \{x*130} | PASS x
        - commands together longer than 128 bytes [pop3-buffer]
        P31 NOOP | \{NOOP\r\n*30}
        - exactly what fits
        C USER \{x*120} | NOOP
        == pop3-errors
        - two errors
        C XXXX | XXXX | NOOP
        - wrong at this time is not counted
        C PASS x | STLS | APOP a b | AUTH X | USER | NOOP
        == pop3-noerrors
        - the first error is too many
        C XXXX | NOOP
        - wrong at this time is not an error
        C PASS x | NOOP
        == pop3-all
        - the salt in the greeting, capabilities and mechanisms
        C CAPA | AUTH | NOOP
        - CAPA behind USER
        C USER ann | CAPA | AUTH | NOOP
        == pop3-starttls
        - TLS is offered, and plain text works
        C CAPA | USER ann | CAPA | PASS pass | STAT
        - STLS
        C STLS
        Z
        - STLS behind USER
        C USER ann | STLS | NOOP
        - STLS with an argument
        C STLS x
        Z
        == pop3-only
        - nothing but TLS
        C CAPA | USER ann | PASS pass | APOP ann x | AUTH | AUTH PLAIN | AUTH PLAIN \b{\0ann\0pass} | NOOP
        - STLS
        C NOOP | STLS
        Z
        == pop3-apop
        - only APOP: a bare SASL line
        C CAPA | AUTH | NOOP
        - USER and PASS work all the same
        C USER ann | PASS x | NOOP

        """#

    private static let pop3Logins = #"""
        == pop3
        - a plain login, and then the back-end
        C USER ann | PASS pass | STAT | NOOP
        - small letters
        C user ann | pass pass | STAT
        - spaces inside and at the end
        C USER ann | PASS pa ss  x \x20 | STAT
        - spaces in front
        C USER ann | PASS   pass | STAT
        - spaces in the name
        C USER ann lee | PASS x | STAT
        - a space behind the name
        C USER ann\x20 | PASS x | STAT
        - only spaces for a password
        C USER ann | PASS \x20 | NOOP
        - no password
        C USER ann | PASS | NOOP
        - USER twice
        C USER ann | USER bob | NOOP
        - USER, an error, PASS
        C USER ann | XXXX | PASS pass
        - USER, a refused command, PASS
        C USER ann | STLS | PASS pass
        - USER, NOOP, CAPA, PASS
        C USER ann | NOOP | CAPA | PASS pass | STAT
        - APOP behind USER
        C USER ann | APOP a b | NOOP
        - pipelined
        P USER ann | PASS pass | STAT | LIST
        - the client has ended its stream: the reply that is on its way reaches it [half-close]
        C USER ann | PASS pass
        N STAT
        Z
        B +OK | +OK | +OK | !late +OK 1 1
        - bytes that are escaped
        C USER a%n+n"\\x | PASS %20 +\xE9\x80" | STAT
        - control bytes in a name [control]
        C USER a\x01b | NOOP
        - control bytes in a password
        C USER ann | PASS a\x01\tb | STAT
        - refused
        C USER ann | PASS wrong | NOOP
        A Auth-Status: Invalid login or password
        - refused, and may try again
        C USER ann | PASS wrong | USER ann | PASS right | STAT
        A Auth-Status: No, no | Auth-Wait: 1 || OK
        - refused, and PASS is not enough
        C USER ann | PASS wrong | PASS right
        A Auth-Status: No | Auth-Wait: 1
        - the service gives another user and password
        C USER ann | PASS x | STAT
        A Auth-Status: OK | $S | Auth-User: bob | Auth-Pass: secret
        - no server
        C USER ann | PASS x
        A Auth-Status: OK
        - no answer {log-closed}
        C USER ann | PASS x
        A !close
        - asked again after a while
        C USER ann | PASS x
        A Auth-Status: WAIT | Auth-Wait: 1 || OK
        - PLAIN
        C AUTH PLAIN | \b{\0ann\0pass} | STAT
        - PLAIN with an initial response
        C AUTH PLAIN \b{\0ann\0pass} | STAT
        - LOGIN
        C AUTH LOGIN | \b{ann} | \b{pass} | STAT
        - LOGIN with the name at once
        C auth login \b{ann} | \b{pass} | STAT
        - cancelled {log-cancel}
        C AUTH PLAIN | * | NOOP
        - cancelled in LOGIN {log-cancel}
        C AUTH LOGIN | * | NOOP
        - cancelled behind the name {log-cancel}
        C AUTH LOGIN | \b{ann} | * | NOOP
        E AUTH PLAIN ! | AUTH PLAIN x y | AUTH LOGIN ! | AUTH LOGIN x y | AUTH CRAM-MD5 | AUTH CRAM-MD5 x | AUTH EXTERNAL
        E AUTH PLAIN \b{ann} | AUTH PLAIN \b{\0ann} | AUTH PLAIN A | AUTH PLAIN = | AUTH NTLM x | AUTH APOP | AUTH NONE
        - EXTERNAL that is not configured, with an initial response [external]
        C AUTH EXTERNAL \b{ann} | NOOP
        - another authorisation identity [plain]
        C AUTH PLAIN \b{bob\0ann\0pass} | STAT
        - an empty response
        X AUTH PLAIN\r\n
        X \r\n
        - a line end in a password is never sent on [pop3-injection]
        C AUTH PLAIN \b{\0ann\0pa\r\nDELE 1} | STAT
        - a line end in a user [control]
        C AUTH PLAIN \b{\0an\r\nn\0pass} | NOOP
        - SASL behind USER
        C USER ann | AUTH PLAIN | NOOP
        == pop3-all
        - APOP
        C APOP ann 0123456789abcdef0123456789abcdef | STAT
        A Auth-Status: OK | $S | Auth-Pass: secret
        - APOP without a password from the service
        C APOP ann 0123456789abcdef0123456789abcdef | STAT
        - APOP with any digest
        C APOP ann x | STAT
        A Auth-Status: OK | $S | Auth-Pass: secret
        E APOP | APOP ann | APOP a b c | APOP a b c d
        - APOP refused, and again with the same salt
        C APOP ann x | APOP ann y | STAT
        A Auth-Status: No | Auth-Wait: 1 || Auth-Status: OK | $S | Auth-Pass: secret
        - the digest is kept for a question that is repeated [wait-digest]
        C APOP ann x | STAT
        A Auth-Status: WAIT | Auth-Wait: 1 || Auth-Status: OK | $S | Auth-Pass: secret
        - CRAM-MD5
        C AUTH CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcdef} | STAT
        A Auth-Status: OK | $S | Auth-Pass: secret
        - CRAM-MD5 whose digest is short {log-login}
        C AUTH CRAM-MD5 | \b{ann 0123456789abcdef0123456789abcde} | NOOP
        - EXTERNAL: no salt is sent [external-salt]
        C AUTH EXTERNAL | \b{ann} | STAT
        A Auth-Status: OK | $S | Auth-Pass: secret

        """#

    private static let pop3BackEnds = #"""
        == pop3
        - the back-end's words reach the client
        C USER ann | PASS x | STAT
        B +OK hi | +OK user | +OK 3 messages
        - small letters [case]
        C USER ann | PASS x | STAT
        B +ok hi | +ok user | +ok 3 messages
        - refused at once
        C USER ann | PASS x
        B -ERR busy
        - the user is refused
        C USER ann | PASS x
        B +OK hi | -ERR no
        - the password is refused
        C USER ann | PASS x
        B +OK hi | +OK | -ERR [AUTH] no
        - closed at once {log-closed}
        C USER ann | PASS x
        B !close
        - closed in the middle {log-closed}
        C USER ann | PASS x
        B +OK hi | !close
        - garbage {log-controls}
        C USER ann | PASS x
        B !\x16\x03\x01\x02\x03\r\n
        - a long greeting {log-cut}
        C USER ann | PASS x
        B +OK \{x*5000}
        == pop3-pass
        - the refusal is passed on
        C USER ann | PASS x
        B +OK hi | +OK | -ERR [AUTH] no
        - the greeting is passed on
        C USER ann | PASS x
        B -ERR [SYS/TEMP] busy
        - what is no refusal is not passed on [false-success]
        C USER ann | PASS x
        B +OK hi | +OK | what?
        - one line only [one-line]
        C USER ann | PASS x
        B +OK hi | -ERR a\r\n-ERR b

        """#
}
