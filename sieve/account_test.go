package sieve

import (
	"context"
	"slices"
	"testing"
)

// account is a host that knows more of one account than the lab does.
type account struct {
	*lab
	addresses, owned []string
	score, percent   int
	tested           bool
	virus            int
	failing          error // what a question to the server comes to
	questions        int
}

func newAccount() *account { return &account{lab: newLab("x"), addresses: []string{"bob@example.com"}} }

func (a *account) Addresses() []string { return a.addresses }

func (a *account) Owns(_ context.Context, address string) (bool, error) {
	return slices.Contains(a.owned, address) || slices.Contains(a.addresses, address), a.failing
}

func (a *account) HasMailbox(ctx context.Context, name string) (bool, error) {
	a.questions++
	has, _ := a.lab.HasMailbox(ctx, name)
	return has, a.failing
}

func (a *account) Spam() (score, percent int, tested bool) { return a.score, a.percent, a.tested }

func (a *account) Virus() int { return a.virus }

// runs runs a script for a message of the account.
func (a *account) runs(t testing.TB, script, mail string) Outcome {
	t.Helper()
	j := jobFor(t, mail)
	j.Host = a
	return compiled(t, script).Run(context.Background(), j)
}

// holds reports whether a test holds for the sample; what it requires is required.
func (a *account) holds(t testing.TB, require, test string) bool {
	t.Helper()
	o := a.runs(t, "require ["+require+"];\nif "+test+" { discard; }", sample)
	if o.Err != nil {
		t.Fatalf("%s: %v", test, o.Err)
	}
	return !o.ImplicitKeep
}
