package store

import "errors"

// What callers tell apart. Space that ran out is db.ErrFull.
var (
	ErrNoAccount       = errors.New("no such account")
	ErrNoMailbox       = errors.New("no such mailbox")
	ErrExists          = errors.New("mailbox already exists")
	ErrBadName         = errors.New("not a valid mailbox name")
	ErrHasChildren     = errors.New("mailbox has children")
	ErrOverQuota       = errors.New("over quota")
	ErrTooManyKeywords = errors.New("too many different keywords in this mailbox")
	ErrBadFlag         = errors.New("not a flag that can be set")
	ErrTooMany         = errors.New("too many")
	// ErrGone means that the message is not there any more, or that the mailbox of a view was deleted.
	ErrGone = errors.New("gone")
	// ErrDamaged means that stored bytes do not match their checksum.
	ErrDamaged = errors.New("damaged")
)
