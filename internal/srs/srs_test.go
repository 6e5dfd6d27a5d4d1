package srs

import (
	"errors"
	"testing"
	"time"

	"postern/internal/address"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestABounceFindsItsWayBack(t *testing.T) {
	r := Rewriter{Key: []byte("secret")}
	from := address.Address{Local: "news=a", Domain: "sender.example"}
	to := r.Forward(from, "example.test", now)
	if to.Domain != "example.test" || len(to.Local) > 64 {
		t.Fatalf("forwarded as %v", to)
	}
	for _, age := range []int{0, 1, 20} {
		if got, err := r.Reverse(to, now.AddDate(0, 0, age)); err != nil || got != from {
			t.Fatalf("after %d days: %v, %v", age, got, err)
		}
	}
	if _, err := r.Reverse(to, now.AddDate(0, 0, 22)); !errors.Is(err, ErrExpired) {
		t.Fatalf("after 22 days: %v", err)
	}
}

func TestAStrangersRewritingIsRefused(t *testing.T) {
	r, other := Rewriter{Key: []byte("secret")}, Rewriter{Key: []byte("guess")}
	forged := other.Forward(address.Address{Local: "victim", Domain: "sender.example"}, "example.test", now)
	for _, a := range []address.Address{forged, {Local: "SRS0=AAAAAAAA=AA=x", Domain: "example.test"}, {Local: "bob", Domain: "example.test"}} {
		if got, err := r.Reverse(a, now); !errors.Is(err, ErrForeign) {
			t.Fatalf("%v gave %v, %v", a, got, err)
		}
	}
}

func TestNullAndOwnSendersStay(t *testing.T) {
	r := Rewriter{Key: []byte("secret")}
	own := address.Address{Local: "alice", Domain: "example.test"}
	if r.Forward(own, "example.test", now) != own || !r.Forward(address.Address{}, "example.test", now).IsZero() {
		t.Fatal("rewritten without need")
	}
}
