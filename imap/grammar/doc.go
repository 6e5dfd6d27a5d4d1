// Package grammar is the language of IMAP and nothing else: bytes from a
// client become typed commands, values become bytes of responses.
//
// The road starts at Reader.ReadCommand, which takes one command from the
// connection within the limits of the session (bytes, literals, nesting,
// elements), asks the session before a synchronising literal is invited, and
// answers with a Request whose Command is one of the types of ast.go. It ends
// at the Append functions of write.go, which put strings, names, flags,
// numbers and dates on the wire. Between the two stands package imap, which
// knows what the commands mean; grammar knows only how they are spelled.
//
// What a client sends is never trusted: every count and every size is bounded,
// parsing is linear in the bytes received, and memory is taken as bytes arrive,
// never on a client's promise that they will. After an error the reader finds
// the start of the next command by itself.
//
// The language is RFC 9051 (IMAP4rev2) with all of RFC 3501 (IMAP4rev1), and
// the extensions SASL-IR, LITERAL+, ENABLE, ID, LIST-EXTENDED, LIST-STATUS,
// SPECIAL-USE, STATUS=SIZE, APPENDLIMIT, ESEARCH, SEARCHRES, BINARY,
// MULTIAPPEND, UIDPLUS, MOVE, CONDSTORE, QRESYNC, QUOTA, COMPRESS and WITHIN.
package grammar
