// Package managesieve is the server with which users keep their Sieve scripts: ManageSieve (RFC 5804), on port 4190.
//
// The road starts in server.go, which takes connections from a listener and gives each a session, and in session.go, which
// reads a command (reader.go and literal.go know how it is spelled, command.go what each takes), runs its handler and
// writes how it ended. The handlers are in the files with the names of what they do: starttls.go, login.go, put.go,
// manage.go. It ends at two small interfaces: [Scripts] keeps the scripts, [Compiler] knows the language; the server knows
// neither.
//
// Passwords are taken inside TLS only, and before that nothing but STARTTLS leads anywhere. Until somebody has logged in,
// no command may be longer than a login needs; afterwards a script may be as long as the limits say, and a longer one is
// refused without being kept. A client that says what is no ManageSieve, guesses passwords or takes too long is sent away.
package managesieve
