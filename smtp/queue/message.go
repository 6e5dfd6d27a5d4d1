package queue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/internal/address"
	"postern/smtp/queue/dsn"
)

// ID names a message, or a recipient of one, in the queue. Ids rise with time and are never used twice.
type ID int64

// String is the id as it is shown and typed: base 36, upper case.
func (id ID) String() string { return strings.ToUpper(strconv.FormatInt(int64(id), 36)) }

// ParseID reads what String wrote, in either case.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseInt(strings.ToLower(s), 36, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not the id of a queued message", s)
	}
	return ID(n), nil
}

// Message is what is handed to the queue.
type Message struct {
	// BlobID names the stored content. The caller counts one reference to it for the queue, in the same transaction;
	// the queue gives it back through Blobs.ReleaseBlobTx once the last recipient is done.
	BlobID int64
	// Size is that of Prefix and content together, in bytes.
	Size int64
	// Prefix are the header fields that stand before the content: Received, DKIM-Signature. Each ends in CRLF.
	Prefix []byte
	// From is the reverse-path; the zero address is the null one, for which nothing is ever bounced.
	From       address.Address
	Recipients []Recipient
	// Ret and EnvID are MAIL's DSN parameters as they came: "FULL", "HDRS" or "", and xtext (RFC 3461 4.3, 4.4).
	Ret, EnvID string
	// SMTPUTF8: the addresses or the header need RFC 6531 on the way.
	SMTPUTF8 bool
	// Body8Bit: the body holds bytes above 127 (RFC 6152).
	Body8Bit bool
	// RequireTLS: every hop must be by verified TLS (RFC 8689).
	RequireTLS bool
	// Account sent it; 0 is the system.
	Account int64
	// Lifetime bounds the tries; 0 means the setting (5 days).
	Lifetime time.Duration
	// Hold: nothing is tried before a release.
	Hold bool
}

// Recipient is one forward-path with its DSN parameters.
type Recipient struct {
	Address address.Address
	Notify  Notify
	// ORCPT is the parameter as it came, "rfc822;xtext", or "".
	ORCPT string
}

// Notify is RCPT's NOTIFY parameter (RFC 3461 4.1).
type Notify = dsn.Notify

// The values of NOTIFY.
const (
	NotifyNever   = dsn.NotifyNever
	NotifySuccess = dsn.NotifySuccess
	NotifyFailure = dsn.NotifyFailure
	NotifyDelay   = dsn.NotifyDelay
)
