package sasl

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"postern/internal/reply"
)

// inTLS12 is a connection on which no channel can be bound.
var inTLS12 = &tls.ConnectionState{Version: tls.VersionTLS12, HandshakeComplete: true}

func begin(t testing.TB, mechanism string, options ...Option) Server {
	t.Helper()
	s, err := NewServer(mechanism, testPeople, inTLS12, options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPlain(t *testing.T) {
	for _, c := range []struct {
		name, message string
		want          error
	}{
		{"right", "\x00alice@example.test\x00Secret-Garden-7", nil},
		{"as oneself", "alice@example.test\x00alice@example.test\x00Secret-Garden-7", nil},
		{"as oneself in capitals", "ALICE@example.test\x00alice@example.test\x00Secret-Garden-7", nil},
		{"as another", "bob@example.test\x00alice@example.test\x00Secret-Garden-7", ErrBadCredentials},
		{"wrong password", "\x00alice@example.test\x00Secret-Garden-8", ErrBadCredentials},
		{"unknown", "\x00mallory@example.test\x00Secret-Garden-7", ErrBadCredentials},
		{"decomposed umlauts", "\x00\u00fcmit@\u00fc.test\x00Pa\u00dfwort-A\u0308O\u0308U\u0308-1", nil},
		{"no password", "\x00alice@example.test\x00", ErrProtocol},
		{"no login", "\x00\x00Secret-Garden-7", ErrProtocol},
		{"a part too many", "\x00alice@example.test\x00Secret\x00Garden", ErrProtocol},
		{"a part too few", "alice@example.test\x00Secret-Garden-7", ErrProtocol},
		{"empty", "", ErrProtocol},
		{"not UTF-8", "\x00alice@example.test\x00\xff\xfe", ErrProtocol},
		{"too long", "\x00alice@example.test\x00" + strings.Repeat("x", maxMessage), ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t, Plain)
			_, done, err := s.Next(t.Context(), []byte(c.message))
			if !errors.Is(err, c.want) || done != (c.want == nil) {
				t.Fatalf("done %v, error %v, want %v", done, err, c.want)
			}
			if done && s.Identity().Login == "" {
				t.Error("no identity")
			}
			if !done && s.Identity() != (Identity{}) {
				t.Errorf("identity %v without a login", s.Identity())
			}
			if _, _, err := s.Next(t.Context(), []byte(c.message)); !errors.Is(err, ErrProtocol) {
				t.Errorf("a message after the end: %v", err)
			}
		})
	}
}

func TestPlainWithoutInitialResponse(t *testing.T) {
	challenge, done, err := say(t, begin(t, Plain), nil)
	if challenge == nil || len(challenge) != 0 || done || err != nil {
		t.Fatalf("challenge %q, done %v, error %v", challenge, done, err)
	}
	_, done, err = say(t, begin(t, Plain), nil, []byte("\x00alice@example.test\x00Secret-Garden-7"))
	if !done || err != nil {
		t.Fatalf("done %v, error %v", done, err)
	}
}

func TestLogin(t *testing.T) {
	for name, messages := range map[string][][]byte{
		"asked for both":     {nil, []byte("alice@example.test"), []byte("Secret-Garden-7")},
		"name comes unasked": {[]byte("alice@example.test"), []byte("Secret-Garden-7")},
	} {
		s := begin(t, Login)
		if _, done, err := say(t, s, messages...); !done || err != nil || s.Login() != "alice@example.test" {
			t.Errorf("%s: done %v, error %v, login %q", name, done, err, s.Login())
		}
	}
	s := begin(t, Login)
	if c, _, _ := say(t, s, nil); string(c) != "Username:" {
		t.Errorf("first challenge %q", c)
	}
	if c, _, _ := say(t, s, []byte("alice@example.test")); string(c) != "Password:" {
		t.Errorf("second challenge %q", c)
	}
	if _, _, err := say(t, s, []byte("wrong")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	for _, bad := range []string{"", "a\x00b", "\xff"} {
		if _, _, err := say(t, begin(t, Login), []byte(bad)); !errors.Is(err, ErrProtocol) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
}

func TestTheThrottleIsAskedBeforeThePasswordIsLookedAt(t *testing.T) {
	refused := reply.New(454, "4.7.0", "Later")
	for mechanism, messages := range map[string][][]byte{
		Plain: {[]byte("\x00alice@example.test\x00Secret-Garden-7")},
		Login: {[]byte("alice@example.test"), []byte("Secret-Garden-7")},
		Scram: {[]byte("n,,n=alice@example.test,r=abcdefgh")},
	} {
		var asked string
		s, err := NewServer(mechanism, nil, inTLS12, Before(func(_ context.Context, login string) error {
			asked = login
			return refused
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := say(t, s, messages...); !errors.Is(err, refused) || asked != "alice@example.test" || s.Login() != asked {
			t.Errorf("%s: error %v, asked about %q", mechanism, err, asked)
		}
	}
}

func TestNothingIsOfferedOutsideTLS(t *testing.T) {
	if m := Mechanisms(nil, true); len(m) != 0 {
		t.Errorf("offered: %v", m)
	}
	for _, mechanism := range []string{Plain, Login, Scram, ScramPlus} {
		if _, err := NewServer(mechanism, testPeople, nil); !errors.Is(err, ErrNoMechanism) {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
	if _, err := NewServer("CRAM-MD5", testPeople, inTLS12); !errors.Is(err, ErrNoMechanism) {
		t.Errorf("CRAM-MD5: %v", err)
	}
	if _, err := NewServer("plain", testPeople, inTLS12); err != nil {
		t.Errorf("in small letters: %v", err)
	}
}

func TestDecode(t *testing.T) {
	for line, want := range map[string]string{"=": "", "": "", "AGE=": "\x00a", "YQ==": "a"} {
		if b, err := Decode(line); err != nil || b == nil || string(b) != want {
			t.Errorf("%q: %q, %v", line, b, err)
		}
	}
	if _, err := Decode("*"); !errors.Is(err, ErrCancelled) {
		t.Errorf("*: %v", err)
	}
	for _, line := range []string{"YQ", "YR==", "!", "YQ==\n", strings.Repeat("A", 8000)} {
		if _, err := Decode(line); !errors.Is(err, ErrProtocol) {
			t.Errorf("%.20q: %v", line, err)
		}
	}
}

func TestFailuresKnowTheirReplies(t *testing.T) {
	for err, want := range map[error]int{ErrBadCredentials: 535, ErrProtocol: 501, ErrCancelled: 501, ErrNoMechanism: 504, ErrBusy: 454} {
		if got := reply.From(err).Code; got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func TestPrepare(t *testing.T) {
	for in, want := range map[string]string{
		"plain ASCII":                "plain ASCII",
		"I\u00adX":                   "IX",     // RFC 4013 3, example 1
		"user":                       "user",   // 2
		"USER":                       "USER",   // 3
		"\u00aa":                     "a",      // 4
		"\u2168":                     "IX",     // 5
		"a\u00a0b\u3000c":            "a b c",  // other spaces
		"e\u0301":                    "\u00e9", // composed
		"\U0001f511 key":             "\U0001f511 key",
		"\u05e9\u05dc\u05d5\u05dd1!": "\u05e9\u05dc\u05d5\u05dd1!",
	} {
		if got, err := Prepare(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"\x07", "a\nb", "\x7f", "\u0080", "\ufeff\ue000", "\ufffd", "\u202e", "\xff", "\U000e0041", "\ufdd0"} {
		if got, err := Prepare(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte("\x00alice@example.test\x00Secret-Garden-7"))
	f.Add([]byte("a\x00b\x00c"))
	f.Add([]byte("\x00\x00"))
	f.Add([]byte("\x00alice@example.test\x00\xff"))
	f.Fuzz(func(t *testing.T, message []byte) {
		s := begin(t, Plain)
		_, done, err := s.Next(t.Context(), message)
		if done == (err != nil) {
			t.Fatalf("done %v, error %v", done, err)
		}
		if !done {
			return
		}
		_, password, _ := strings.Cut(strings.TrimLeft(string(message), "\x00"), "\x00")
		if at := strings.LastIndexByte(password, 0); at >= 0 {
			password = password[at+1:]
		}
		if prepared, err := Prepare(password); err != nil || prepared != testPeople[s.Identity().Login] {
			t.Fatalf("%q logged in as %v", message, s.Identity())
		}
	})
}

func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"Secret-Garden-7", "I\u00adX", "e\u0301\u0323", "\u05d0b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := Prepare(s)
		if err != nil {
			return
		}
		if twice, err := Prepare(once); err != nil || twice != once {
			t.Fatalf("%q: prepared once %q, twice %q, %v", s, once, twice, err)
		}
	})
}
