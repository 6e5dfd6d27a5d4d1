package mailflow

import (
	"fmt"
	"testing"
	"time"

	"postern/internal/address"
	"postern/internal/directory"
	"postern/smtp"
)

func TestEachPlaceIsPlannedOnceHoweverOftenItIsNamed(t *testing.T) {
	res := directory.Resolution{LocalDomain: true}
	for i := range 5000 {
		res.External = append(res.External, address.Address{Local: fmt.Sprintf("Member%d", i), Domain: "far.example"})
		res.Accounts = append(res.Accounts, directory.Account{ID: int64(i + 1)})
	}
	p := &plan{}
	began := time.Now()
	for range 100 {
		p.add(smtp.Recipient{Address: address.Address{Local: "team", Domain: "example.test"}}, res)
	}
	// A search through all of them for each took minutes.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	p.add(smtp.Recipient{}, directory.Resolution{External: []address.Address{{Local: "member7", Domain: "far.example"}}})
	if len(p.accounts) != 5000 || len(p.external) != 5000 {
		t.Fatalf("%d accounts and %d elsewhere", len(p.accounts), len(p.external))
	}
	p.add(smtp.Recipient{}, directory.Resolution{LocalDomain: true, Detail: "lists", Accounts: res.Accounts[:1]})
	if len(p.accounts) != 5001 {
		t.Error("a subaddress is no place of its own")
	}
}
