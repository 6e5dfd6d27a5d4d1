package throttle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"postern/internal/sasl"
)

// doorman refuses mallory and keeps what it is told.
type doorman struct{ told []string }

var errGoAway = errors.New("go away")

func (d *doorman) BeforeAuth(_ context.Context, _ netip.Addr, login string) error {
	if login == "mallory" {
		return errGoAway
	}
	return nil
}

func (d *doorman) AuthResult(_ netip.Addr, login string, ok bool) {
	d.told = append(d.told, fmt.Sprint(login, " ", ok))
}

func TestAnAttemptIsToldOnceToThrottleAndLog(t *testing.T) {
	for _, test := range []struct {
		login     string
		end       error // of an attempt that may be made
		told, log string
	}{
		{"alice", nil, "alice true", ""},
		{"alice", sasl.ErrBadCredentials, "alice false", "reason=credentials"},
		{"alice", sasl.ErrCancelled, "alice false", ""},
		{"alice", errors.New("the database is on fire"), "alice false", ""},
		{"mallory", nil, "", "reason=throttled"},
	} {
		var d doorman
		var log bytes.Buffer
		l := Logins{Throttle: &d, Log: slog.New(slog.NewTextHandler(&log, nil)), Service: "imap", Remote: netip.MustParseAddr("192.0.2.1")}
		end := test.end
		if err := l.Before(t.Context(), test.login); err != nil {
			end = fmt.Errorf("as a mechanism wraps it: %w", err)
		}
		if was := l.After(test.login, end); was != (test.told != "") {
			t.Errorf("%s, %v: an attempt: %t", test.login, test.end, was)
		}
		if got := strings.Join(d.told, ", "); got != test.told {
			t.Errorf("%s, %v: told %q", test.login, test.end, got)
		}
		if got := log.String(); strings.Count(got, "auth failed") != min(len(test.log), 1) || !strings.Contains(got, test.log) {
			t.Errorf("%s, %v: logged %q", test.login, test.end, got)
		}
	}
}

func TestARefusalKeepsItsCause(t *testing.T) {
	l := Logins{Throttle: &doorman{}}
	if err := l.Before(t.Context(), "mallory"); !errors.Is(err, errGoAway) {
		t.Errorf("%v", err)
	}
	if err := (Logins{}).Before(t.Context(), "mallory"); err != nil {
		t.Errorf("without a throttle: %v", err)
	}
}
