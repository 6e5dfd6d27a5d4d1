package grammar

// Limits bound what one client can make a session hold or read. Sizes are bytes.
type Limits struct {
	Command     int   // one command with its literals, messages of APPEND apart
	ID          int   // the same for ID, which RFC 2971 3.3 allows 30 fields of 1,054
	Literal     int   // one literal, messages of APPEND apart
	Message     int64 // one message of APPEND
	Skip        int64 // of a refused command, read and dropped before the connection is given up
	Depth       int   // nesting of parentheses and of NOT
	Ranges      int   // ranges in all number sets of one command
	Elements    int   // members of all other lists of one command: flags, items, keys, patterns
	AppendItems int   // messages of one APPEND
}

// BeforeLogin are the limits for a client that nobody knows yet.
func BeforeLogin() Limits {
	return Limits{
		Command: 8 << 10, ID: 40 << 10, Literal: 4 << 10, Skip: 64 << 10,
		Depth: 50, Ranges: 100, Elements: 100,
	}
}

// AfterLogin are the limits for a user; message is the largest message that
// APPEND takes. Long sets of UIDs are usual, in QRESYNC above all.
func AfterLogin(message int64) Limits {
	return Limits{
		Command: 1 << 20, ID: 1 << 20, Literal: 256 << 10, Message: message, Skip: 2*message + 16<<20,
		Depth: 50, Ranges: 200_000, Elements: 10_000, AppendItems: 10_000,
	}
}
