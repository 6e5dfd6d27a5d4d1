// Package imap is the IMAP server: IMAP4rev2 (RFC 9051) and IMAP4rev1 (RFC 3501) with the extensions that clients use.
//
// The road starts in server.go, which takes TLS connections from a listener and gives each a session, and in session.go,
// which reads a command (package grammar knows how commands are spelled), runs the handler for it and writes how it ended.
// Each handler has a file with the name of what it does: login.go, list.go, fetch.go, search.go. It ends at package store,
// whose View is one session's picture of one mailbox. What other sessions and deliveries did reaches a client by updates.go
// at the end of its commands, and by push.go while it idles: the store's change feed wakes a short-lived goroutine, and
// nothing polls.
//
// A session costs memory only while it works. Between commands and in IDLE it holds its TLS state, a kilobyte for input and
// a small stack; buffers for responses come from a pool and go back when the response is sent. Responses are made by
// appending to such a buffer straight from the store's arrays and compact metadata, and bodies are streamed through it, so
// that a message of any size takes no more than the buffer.
//
// There is no plaintext: connections are TLS from the first byte, so there is no STARTTLS.
package imap
