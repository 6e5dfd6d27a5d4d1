// Package listen is what the servers of SMTP, IMAP and ManageSieve have in common below their protocols: connections come
// from listeners, become sessions up to a limit, and end in good order when the server does.
//
// The road: [Sessions.Serve] takes connections and hands each to the server, which makes a session of it and asks
// [Sessions.Admit] for a place. The session runs on a goroutine of the server's and gives its place back with
// [Sessions.Leave]. [Sessions.Shutdown] closes the listeners, wakes the sessions so that each can say goodbye, waits, and
// cuts off who stays too long. [Accounts] counts the sessions of each account. How many connections a network may open is
// package throttle's to say.
package listen
