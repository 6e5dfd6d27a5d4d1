// Package smtp takes mail in: from the world on port 25, from users on 587 and 465.
//
// It is a protocol engine and nothing else. It reads bytes from strangers, keeps to the RFCs, holds every limit, and
// hands what is left to a [Backend]: who is connecting, who sends, to whom, and at last the bytes of the message in a
// spool. What is then done with a message is the backend's affair (internal/mailflow tells that story); whether a
// password is right is internal/sasl's. The road starts at [Server.Serve] with a listener that somebody else bound, and
// ends when [Backend.Data] returns: a nil error there means that the message is safe on disk, and only then does the
// client read 250.
//
// # What the engine promises
//
//   - End of data is CR LF "." CR LF and nothing else. A message with a bare CR, a bare LF or a NUL anywhere is read to
//     its end and refused with 554 5.6.0, on DATA and BDAT, on every port. This is why BINARYMIME is not offered.
//   - A message is never in memory as a whole: it flows through one buffer into the spool.
//   - A session that waits holds no buffers.
//   - The first failed read ends the session. Nothing that follows a timeout in a message is taken for a command.
//   - AUTH is offered on submission ports only, and only inside TLS.
//   - Bytes that arrive behind STARTTLS in clear, or before the greeting on port 25, or behind DATA before its 354, end
//     the session: no honest client sends them (RFC 2920 3.1, RFC 3207 4.2).
//
// # Extensions
//
// PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), ENHANCEDSTATUSCODES (RFC 2034),
// CHUNKING (RFC 3030), DSN (RFC 3461), REQUIRETLS (RFC 8689), LIMITS RCPTMAX (RFC 9422), STARTTLS (RFC 3207), AUTH
// (RFC 4954); the PROXY protocol, versions 1 and 2, from addresses named in [Server.TrustedProxies].
package smtp
