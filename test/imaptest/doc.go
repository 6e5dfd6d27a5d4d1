// Package imaptest runs the scripted tests of ImapTest against an IMAP server.
//
// ImapTest is Dovecot's tester; its scripts say in a few lines what a client
// sends and what must come back, and nearly every server has been measured with
// them. Run reads such scripts (script.go), brings the account into the state
// that each asks for, plays them over connections that the caller opens (run.go,
// conn.go) and compares what the server answers with what the script expects
// (args.go, match.go). Its road ends at a Result, which names every script that
// could not be run and why, so that nothing is left out silently.
//
// The package knows the scripts' language only from its documentation; the test
// TestRunnerAgreesWithDovecot shows that it understands it.
package imaptest
