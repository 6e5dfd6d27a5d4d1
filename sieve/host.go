package sieve

import (
	"context"
	"io"
	"time"

	"postern/internal/message"
)

// Message is what a script looks at.
type Message struct {
	Parsed  *message.Message
	Content io.ReaderAt
	Size    int64
	// Header is the message's header as a script sees it, with the fields that the server put before it; without the empty line.
	// Nil means the one in Content.
	Header []byte
	// Flags are those that the message has already, where it lies in a mailbox (RFC 6785 3.8).
	Flags []string
}

// Change is what was done with a message in a mailbox (RFC 6785).
type Change struct {
	// User is who did it, by the name that was logged in with; Email an address of theirs, or "".
	User, Email string
	// Cause is APPEND, COPY or FLAG.
	Cause string
	// Mailbox is where the message lies. Keep, also the implicit one, leaves it there with the flags that it says; where neither is
	// wanted, the message gets \Deleted, whatever else was done with it (RFC 6785 3.1 to 3.5).
	Mailbox string
	// Flags are those that were set or taken away, where that is the cause.
	Flags []string
}

// Envelope is how the message came (RFC 5228 5.4). Addresses are as SMTP had them, "" for the null reverse-path.
type Envelope struct {
	From, To string
	// OriginalTo is the address before aliases; Auth who logged in, "" for nobody.
	OriginalTo, Auth string
}

// Host answers what only the server knows. Errors end the script with the implicit keep.
type Host interface {
	// Now is the time, in the zone of the account.
	Now() time.Time
	// Item is an item of the environment test (RFC 5183), such as "domain"; ok is false for one that is not known.
	Item(name string) (value string, ok bool)
	// Addresses are those of the account, its own first, to know mail that was written to it and to answer in its name.
	Addresses() []string
	// Owns reports whether mail may be sent in the name of an address.
	Owns(ctx context.Context, address string) (bool, error)
	// HasMailbox reports whether mail can be filed into a mailbox (RFC 5490 3.1).
	HasMailbox(ctx context.Context, name string) (bool, error)
	// SpecialUse gives the mailboxes that have a special use such as "\\Junk" (RFC 8579), in any case of letters.
	SpecialUse(ctx context.Context, use string) ([]string, error)
	// Metadata is an annotation of a mailbox, or of the server where the mailbox is "" (RFC 5490). Its name is in lower case.
	Metadata(ctx context.Context, mailbox, entry string) (value string, ok bool, err error)
	// Duplicate reports whether a message was seen, by the key of its [Sighting], and is remembered yet (RFC 7352).
	Duplicate(ctx context.Context, key string) (bool, error)
	// Spam is the score as spamtest has it: from 0, not tested, over 1, clear, to 10; percent from 0 to 100 (RFC 5235).
	Spam() (score int, percent int, tested bool)
	// Virus is from 0, not tested, over 1, none, to 5 (RFC 5235).
	Virus() int
}
