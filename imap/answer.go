package imap

import (
	"context"
	"errors"

	"postern/internal/reply"
	"postern/internal/store"
)

// answer is how a command ends. RFC 9051 7.1
type answer struct {
	status string // "OK", "NO" or "BAD"
	code   string // response code without brackets, or ""
	text   string // "" for the usual "<command> completed"
	silent bool   // everything was said already
}

func ok() answer                      { return answer{status: "OK"} }
func okCode(code, text string) answer { return answer{status: "OK", code: code, text: text} }
func refuse(code, text string) answer { return answer{status: "NO", code: code, text: text} }
func misuse(text string) answer       { return answer{status: "BAD", text: text} }
func (a answer) good() bool           { return a.status == "OK" }

// verdicts are the answers to what the store refuses, by response codes of RFC 9051 7.1 and RFC 5530.
var verdicts = []struct {
	err        error
	code, text string
}{
	{store.ErrNoMailbox, "NONEXISTENT", "There is no such mailbox"},
	{store.ErrExists, "ALREADYEXISTS", "The mailbox exists already"},
	{store.ErrBadName, "CANNOT", "A mailbox cannot have this name"},
	{store.ErrHasChildren, "HASCHILDREN", "The mailbox has children"},
	{store.ErrOverQuota, "OVERQUOTA", "There is not enough room in the account"},
	{store.ErrTooManyKeywords, "LIMIT", "The mailbox has too many different keywords"},
	{store.ErrBadFlag, "CANNOT", "A flag cannot be set"},
	{store.ErrTooMany, "LIMIT", "That is too much at once"},
	{store.ErrDamaged, "CORRUPTION", "A message is damaged in storage"},
	{store.ErrGone, "EXPUNGEISSUED", "Some of the messages were expunged"},
	{store.ErrNoAccount, "NONEXISTENT", "The account was removed"},
}

// failed is the answer to an error of the store. What is not the client's doing is logged, and worth another try.
func (s *session) failed(err error) answer {
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			if v.err == store.ErrDamaged {
				s.log().Error("imap damaged message", "error", err)
			}
			return refuse(v.code, v.text)
		}
	}
	var e *reply.Error
	switch {
	case reply.IsFull(err):
		s.log().Error("imap storage full", "error", err)
		return refuse("UNAVAILABLE", "The server's storage is full, please try again later")
	case errors.As(err, &e) && e.Temporary():
		return refuse("UNAVAILABLE", e.Text)
	case errors.As(err, &e):
		return refuse("CANNOT", e.Text)
	case errors.Is(err, context.Canceled):
		return refuse("UNAVAILABLE", "The server is shutting down")
	}
	s.log().Error("imap command failed", "error", err)
	return refuse("UNAVAILABLE", "Temporary failure, please try again")
}

// failedOn is failed for a mailbox that messages go to, which the client may create and try again. RFC 9051 7.1 (TRYCREATE)
func (s *session) failedOn(err error) answer {
	a := s.failed(err)
	if errors.Is(err, store.ErrNoMailbox) {
		a.code = "TRYCREATE"
	}
	return a
}
