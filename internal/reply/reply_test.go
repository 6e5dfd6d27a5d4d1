package reply

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func TestFromFindsTheReplyInAChain(t *testing.T) {
	inner := New(550, "5.7.1", "no %s", "relay")
	got := From(fmt.Errorf("while receiving: %w", inner))
	if got != inner || got.Text != "no relay" || got.Enhanced != [3]int{5, 7, 1} || got.Temporary() {
		t.Fatalf("got %+v", got)
	}
}

func TestAnErrorWithoutReplyIsTemporaryAndKeepsItsCausePrivate(t *testing.T) {
	got := From(errors.New("password=hunter2"))
	if got.Code != 451 || !got.Temporary() || got.Text != "Temporary failure, please try again" {
		t.Fatalf("got %+v", got)
	}
}

func TestAFullDiskIs452(t *testing.T) {
	got := From(fmt.Errorf("spool: %w", syscall.ENOSPC))
	if got.Code != 452 || got.EnhancedString() != "4.3.1" {
		t.Fatalf("got %+v", got)
	}
}

func TestFromNilIsNil(t *testing.T) {
	if From(nil) != nil {
		t.Fatal("an error from nothing")
	}
}
