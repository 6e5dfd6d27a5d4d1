package queue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/internal/address"
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

// Notify is RCPT's NOTIFY parameter (RFC 3461 4.1). Zero: it was not given, which asks for failures and delays.
type Notify uint8

// The values of NOTIFY; all but NotifyNever may be joined.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// ParseNotify reads the value of a NOTIFY parameter.
func ParseNotify(value string) (Notify, error) {
	var n Notify
	for word := range strings.SplitSeq(value, ",") {
		var bit Notify
		switch strings.ToUpper(word) {
		case "NEVER":
			bit = NotifyNever
		case "SUCCESS":
			bit = NotifySuccess
		case "FAILURE":
			bit = NotifyFailure
		case "DELAY":
			bit = NotifyDelay
		default:
			return 0, fmt.Errorf("NOTIFY has no value %q", word)
		}
		if n&bit != 0 {
			return 0, fmt.Errorf("NOTIFY names %s twice", strings.ToUpper(word))
		}
		n |= bit
	}
	if n&NotifyNever != 0 && n != NotifyNever {
		return 0, fmt.Errorf("NOTIFY=NEVER stands alone")
	}
	return n, nil
}

// String is the value as it stands in a RCPT command, "" if it was not given.
func (n Notify) String() string {
	var words []string
	for _, w := range []struct {
		bit  Notify
		word string
	}{{NotifyNever, "NEVER"}, {NotifySuccess, "SUCCESS"}, {NotifyFailure, "FAILURE"}, {NotifyDelay, "DELAY"}} {
		if n&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ",")
}

func (n Notify) success() bool { return n&NotifySuccess != 0 }
func (n Notify) failure() bool { return n == 0 || n&NotifyFailure != 0 }
func (n Notify) delay() bool   { return n == 0 || n&NotifyDelay != 0 }
