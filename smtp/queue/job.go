package queue

import (
	"context"
	"io"

	"postern/internal/reply"
)

// Job is one message for its recipients at one destination.
type Job struct {
	Message     ID
	Destination string
	From        string // in SMTP form, "" for the null reverse-path
	Recipients  []JobRecipient
	Ret, EnvID  string
	SMTPUTF8    bool
	Body8Bit    bool
	RequireTLS  bool
	Size        int64
	// Open gives the message from its start: the prefix, then the content.
	Open func() io.Reader
}

// JobRecipient is one recipient of a job.
type JobRecipient struct {
	Address string // in SMTP form
	Notify  Notify
	ORCPT   string
}

// Outcome is what became of one recipient.
type Outcome struct {
	// Err is nil when the destination took the message; temporary when another try may help; else it failed for good.
	Err *reply.Error
	// Remote: Err is what the remote server answered, not our own finding.
	Remote bool
	// Untried: nothing was learnt about the message, because we were asked to stop; it is tried again at once.
	Untried bool
	// Relayed: the destination took it but knows no DSN, so that we owe the sender who asked for one a notice.
	Relayed bool
	// Unreachable: no server of the destination could be spoken to; other messages for it need not be tried now.
	Unreachable bool
	// Host is the server that answered, TLS whether it was spoken to under TLS, Reply its last words.
	Host  string
	TLS   bool
	Reply string

	elsewhere bool // another host of the destination may say otherwise at once
}

// Deliverer opens lines to destinations.
type Deliverer interface {
	Line(destination string) Line
}

// Line carries jobs to one destination, one after the other, and may keep a connection warm between them.
type Line interface {
	// Deliver gives one outcome for each recipient, in their order. It returns soon after ctx ends.
	Deliver(ctx context.Context, job *Job) []Outcome
	Close()
}
