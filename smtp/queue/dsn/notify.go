package dsn

import (
	"fmt"
	"strings"
)

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

// WantsSuccess reports whether the sender is to be told of a delivery.
func (n Notify) WantsSuccess() bool { return n&NotifySuccess != 0 }

// WantsFailure reports whether the sender is to be told of a failure.
func (n Notify) WantsFailure() bool { return n == 0 || n&NotifyFailure != 0 }

// WantsDelay reports whether the sender is to be told of a delay.
func (n Notify) WantsDelay() bool { return n == 0 || n&NotifyDelay != 0 }
