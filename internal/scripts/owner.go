package scripts

import "fmt"

// Role says when an owner's active script is run.
type Role int64

// The roles. Their numbers are stored.
const (
	// Own scripts of an account are the user's. Those of a domain or the server are not run by themselves: they are there
	// for scripts that include them as global ones.
	Own Role = 0
	// Before is run before the account's script.
	Before Role = 1
	// After is run after the account's script.
	After Role = 2
	// Changed is of a domain or the server: it is run for what people do with the messages in their mailboxes (RFC 6785), before
	// the script that the mailbox names.
	Changed Role = 3
)

func (r Role) String() string {
	switch r {
	case Before:
		return "before"
	case After:
		return "after"
	case Changed:
		return "changed"
	}
	return "own"
}

// Owner is whose scripts, and of which role: an account's (Account set), a domain's (Domain set, in A-labels), or, with
// neither, the server's. Names and the active script are each owner's own.
type Owner struct {
	Account int64
	Domain  string
	Role    Role
}

// Of is an account's own scripts.
func Of(account int64) Owner { return Owner{Account: account} }

// String names an owner for the log.
func (o Owner) String() string {
	who := "server"
	switch {
	case o.Account != 0:
		who = fmt.Sprintf("account %d", o.Account)
	case o.Domain != "":
		who = "domain " + o.Domain
	}
	if o.Role == Own {
		return who
	}
	return who + ", " + o.Role.String()
}
