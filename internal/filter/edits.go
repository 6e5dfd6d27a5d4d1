package filter

import (
	"slices"

	"postern/internal/judge"
	"postern/sieve"
)

// Edits says what scripts may do to a header. What tells by which way a message came, who wrote it, how it was judged and how its
// body is to be read is none of theirs: a script's author could speak in somebody's name, and what was judged would be another
// message than what is shown. protected are fields that the administrator names besides.
func Edits(protected []string) sieve.EditPolicy {
	names := slices.Concat([]string{
		"Return-Path", "Delivered-To", "Received", "Auto-Submitted", "From", "Sender", "DKIM-Signature", "ARC-*", "MIME-Version", "Content-*",
	}, judge.ProtectedFields(), protected)
	return sieve.EditPolicy{NoAdd: names, NoDelete: names}
}
