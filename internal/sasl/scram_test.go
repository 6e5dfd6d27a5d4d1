package sasl

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// vector is the one user of RFC 7677 3.
type vector struct{}

func (vector) Authenticate(context.Context, string, string) (Identity, error) {
	return Identity{}, ErrBadCredentials
}

func (vector) Scram(_ context.Context, login string) (ScramCredentials, error) {
	if login != "user" {
		return ScramCredentials{}, errors.New("who?")
	}
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	salted, err := pbkdf2.Key(sha256.New, "pencil", salt, 4096, 32)
	if err != nil {
		return ScramCredentials{}, err
	}
	stored, server := ScramKeys(salted)
	return ScramCredentials{Identity: Identity{1, "user"}, Salt: salt, Iterations: 4096, StoredKey: stored, ServerKey: server}, nil
}

func TestTheExampleOfRFC7677(t *testing.T) {
	s := &scramServer{exchange: exchange{auth: vector{}, state: inTLS12}, nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"}
	for _, step := range []struct{ client, server string }{
		{"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"},
		{"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	} {
		challenge, done, err := s.Next(t.Context(), []byte(step.client))
		if string(challenge) != step.server || done || err != nil {
			t.Fatalf("%q, done %v, error %v; want %q", challenge, done, err, step.server)
		}
	}
	if _, done, err := s.Next(t.Context(), []byte{}); !done || err != nil || s.Identity().Login != "user" {
		t.Fatalf("done %v, error %v, identity %v", done, err, s.Identity())
	}
}

// converse lets xdg-go/scram's client talk to a server of ours.
func converse(t *testing.T, s Server, c *scram.ClientConversation) error {
	t.Helper()
	response, err := c.Step("")
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		challenge, done, err := s.Next(t.Context(), []byte(response))
		if err != nil || done {
			if done && !c.Valid() {
				t.Fatal("we say done, the client does not believe us")
			}
			return err
		}
		if response, err = c.Step(string(challenge)); err != nil {
			t.Fatalf("the client refuses %q: %v", challenge, err)
		}
	}
	t.Fatal("no end")
	return nil
}

func client(t *testing.T, login, password, authzid string) *scram.Client {
	t.Helper()
	c, err := scram.SHA256.NewClient(login, password, authzid)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnIndependentClientLogsInByScram(t *testing.T) {
	for login, password := range testPeople {
		s := begin(t, Scram)
		if err := converse(t, s, client(t, login, password, "").NewConversation()); err != nil || s.Identity().Login != login {
			t.Errorf("%s: %v, identity %v", login, err, s.Identity())
		}
		if err := converse(t, begin(t, Scram), client(t, login, password+"x", "").NewConversation()); !errors.Is(err, ErrBadCredentials) {
			t.Errorf("%s with a wrong password: %v", login, err)
		}
	}
	// The client prepares the password as we do.
	if err := converse(t, begin(t, Scram), client(t, "\u00fcmit@\u00fc.test", "Pa\u00dfwort-A\u0308O\u0308U\u0308-1", "").NewConversation()); err != nil {
		t.Errorf("decomposed umlauts: %v", err)
	}
	if err := converse(t, begin(t, Scram), client(t, "nobody@example.test", "Secret-Garden-7", "").NewConversation()); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("unknown: %v", err)
	}
	if err := converse(t, begin(t, Scram), client(t, "alice@example.test", "Secret-Garden-7", "alice@example.test").NewConversation()); err != nil {
		t.Errorf("as oneself: %v", err)
	}
	if err := converse(t, begin(t, Scram), client(t, "alice@example.test", "Secret-Garden-7", "bob@example.test").NewConversation()); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("as another: %v", err)
	}
}

func TestTheLastWordsComeWithTheSuccessWhereAProtocolCarriesThem(t *testing.T) {
	for login, password := range testPeople {
		s, c := begin(t, Scram, DataWithSuccess()), client(t, login, password, "").NewConversation()
		var challenge []byte
		done := false
		for step := range 2 {
			response, err := c.Step(string(challenge))
			if err != nil {
				t.Fatal(err)
			}
			if challenge, done, err = s.Next(t.Context(), []byte(response)); err != nil || done != (step == 1) {
				t.Fatalf("step %d: %q, %v, %v", step, challenge, done, err)
			}
		}
		if _, err := c.Step(string(challenge)); err != nil || !c.Valid() || s.Identity().Login != login {
			t.Errorf("%s: %v, identity %+v", login, err, s.Identity())
		}
		if _, _, err := s.Next(t.Context(), nil); !errors.Is(err, ErrProtocol) {
			t.Errorf("behind the end: %v", err)
		}
	}
	s := begin(t, Scram, DataWithSuccess())
	if err := converse(t, s, client(t, "alice@example.test", "Wrong-1", "").NewConversation()); !errors.Is(err, ErrBadCredentials) || s.Identity().Login != "" {
		t.Errorf("wrong password: %v, identity %+v", err, s.Identity())
	}
}

// tlsPair is a handshake done: both ends' states and the certificate that was noted on the way.
func tlsPair(t *testing.T, version uint16, prepare func(*tls.Config)) (client, server *tls.Conn, shown []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: version}
	if prepare != nil {
		prepare(config)
	}
	roots := x509.NewCertPool()
	root, _ := x509.ParseCertificate(der)
	roots.AddCert(root)
	a, b := net.Pipe()
	client = tls.Client(a, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	server = tls.Server(b, CaptureCertificate(config))
	t.Cleanup(func() { a.Close(); b.Close() })
	ctx, shownNow := ShownCertificate(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- server.HandshakeContext(ctx) }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = client.Read(make([]byte, 1)) }() // takes in the session ticket
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return client, server, shownNow()
}

func TestScramIsBoundToTheChannel(t *testing.T) {
	clientConn, serverConn, shown := tlsPair(t, tls.VersionTLS13, nil)
	there, here := clientConn.ConnectionState(), serverConn.ConnectionState()
	exporterBinding, err := scram.NewTLSExporterBinding(&there)
	if err != nil {
		t.Fatal(err)
	}
	endPointBinding, err := scram.NewTLSServerEndpointBinding(&there)
	if err != nil {
		t.Fatal(err)
	}
	if m := strings.Join(Mechanisms(&here, true), " "); m != "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" {
		t.Errorf("offered: %s", m)
	}
	c := client(t, "alice@example.test", "Secret-Garden-7", "")
	for _, test := range []struct {
		name      string
		mechanism string
		options   []Option
		talk      *scram.ClientConversation
		want      error
	}{
		{"tls-exporter", ScramPlus, nil, c.NewConversationWithChannelBinding(exporterBinding), nil},
		{"tls-server-end-point", ScramPlus, []Option{Certificate(shown)}, c.NewConversationWithChannelBinding(endPointBinding), nil},
		{"an end point that we cannot know", ScramPlus, nil, c.NewConversationWithChannelBinding(endPointBinding), ErrProtocol},
		{"tls-unique", ScramPlus, nil, c.NewConversationWithChannelBinding(scram.NewTLSUniqueBinding([]byte("x"))), ErrProtocol},
		{"another channel", ScramPlus, nil, c.NewConversationWithChannelBinding(scram.ChannelBinding{Type: "tls-exporter", Data: make([]byte, 32)}), ErrBadCredentials},
		{"no binding with PLUS", ScramPlus, nil, c.NewConversation(), ErrProtocol},
		{"binding without PLUS", Scram, nil, c.NewConversationWithChannelBinding(exporterBinding), ErrProtocol},
		{"PLUS was not offered", Scram, nil, c.NewConversationAdvertisingChannelBinding(), nil},
		{"PLUS was hidden from the client", Scram, []Option{Plus(true)}, c.NewConversationAdvertisingChannelBinding(), ErrProtocol},
		{"no binding at all", Scram, nil, c.NewConversation(), nil},
	} {
		s, err := NewServer(test.mechanism, testPeople, &here, test.options...)
		if err != nil {
			t.Fatal(err)
		}
		if err := converse(t, s, test.talk); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestBelowTLS13NoBindingIsOffered(t *testing.T) {
	_, serverConn, _ := tlsPair(t, tls.VersionTLS12, nil)
	state := serverConn.ConnectionState()
	if m := strings.Join(Mechanisms(&state, true), " "); m != "SCRAM-SHA-256 PLAIN LOGIN" {
		t.Errorf("offered: %s", m)
	}
	s, err := NewServer(Scram, testPeople, &state)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, "alice@example.test", "Secret-Garden-7", "")
	if err := converse(t, s, c.NewConversationAdvertisingChannelBinding()); err != nil {
		t.Errorf("a client that could bind, had we offered it: %v", err)
	}
}

func TestTheShownCertificateIsNoted(t *testing.T) {
	clientConn, _, shown := tlsPair(t, tls.VersionTLS13, nil)
	if want := clientConn.ConnectionState().PeerCertificates[0].Raw; string(shown) != string(want) {
		t.Error("the noted certificate is not the one that the client saw")
	}
	clientConn, _, shown = tlsPair(t, tls.VersionTLS13, func(c *tls.Config) {
		certificate := c.Certificates[0]
		c.Certificates = nil
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
	})
	if want := clientConn.ConnectionState().PeerCertificates[0].Raw; string(shown) != string(want) {
		t.Error("the noted certificate is not the one that GetCertificate gave")
	}
}

func TestScramRefusesWhatIsNotScram(t *testing.T) {
	const first = "n,,n=alice@example.test,r=abcdefgh"
	for _, message := range []string{
		"", "n", "n,", "n,,", "n,,n=", "n,,n=alice", "n,,r=abc,n=alice", "x,,n=alice,r=abc", "p=,,n=alice,r=abc", "ny,,n=alice,r=abc",
		"n,alice,n=alice,r=abc", "n,a=,n=alice,r=abc", "n,a==,n=alice,r=abc", "n,,n=al=20ice,r=abc", "n,,n=alice,r=", "n,,n=alice,r=a b",
		"n,,n=alice,r=a\x7f", "n,,m=ext,n=alice,r=abc", "n,,n=a\x00b,r=abc", "n,,n=\xff,r=abc", "p=tls-exporter,,n=alice,r=abc",
	} {
		if _, _, err := say(t, begin(t, Scram), []byte(message)); !errors.Is(err, ErrProtocol) {
			t.Errorf("first message %q: %v", message, err)
		}
	}
	if _, _, err := say(t, begin(t, Scram), []byte(first)); err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"", "c=biws", "c=biws,r=abc", "r=abc,c=biws,p=AAAA", "c=!,r=abc,p=AAAA", "c=biws,r=abc,p=!", "c=biws,p=AAAA", "c=biws,r=\xff,p=AAAA"} {
		if _, _, err := say(t, begin(t, Scram), []byte(first), []byte(message)); !errors.Is(err, ErrProtocol) {
			t.Errorf("final message %q: %v", message, err)
		}
	}
}

func TestScramChecksNonceAndBinding(t *testing.T) {
	newServer := func() (s *scramServer, nonce string) {
		s = begin(t, Scram).(*scramServer)
		if _, _, err := say(t, s, []byte("n,,n=alice@example.test,r=abcdefgh")); err != nil {
			t.Fatal(err)
		}
		return s, "abcdefgh" + s.nonce
	}
	// prove makes a proof that is right for the message, whatever the message says.
	prove := func(s *scramServer, withoutProof string) []byte {
		salted, _ := pbkdf2.Key(sha256.New, "Secret-Garden-7", []byte(testSalt), testIterations, 32)
		clientKey := mac(salted, "Client Key")
		signature := mac(s.credentials.StoredKey, s.first.bare+","+s.serverFirst+","+withoutProof)
		for i := range signature {
			signature[i] ^= clientKey[i]
		}
		return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(signature))
	}
	for name, c := range map[string]struct {
		message func(nonce string) string
		want    error
	}{
		"right":                {func(nonce string) string { return "c=biws,r=" + nonce }, nil},
		"with an extension":    {func(nonce string) string { return "c=biws,r=" + nonce + ",x=1" }, nil},
		"only its own nonce":   {func(string) string { return "c=biws,r=abcdefgh" }, ErrBadCredentials},
		"nonce with more":      {func(nonce string) string { return "c=biws,r=" + nonce + "x" }, ErrBadCredentials},
		"another header":       {func(nonce string) string { return "c=eSws,r=" + nonce }, ErrBadCredentials},
		"the flag of a binder": {func(nonce string) string { return "c=cD10bHMtZXhwb3J0ZXIsLA==,r=" + nonce }, ErrBadCredentials},
	} {
		s, nonce := newServer()
		if _, _, err := say(t, s, prove(s, c.message(nonce))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	s, nonce := newServer()
	if _, _, err := say(t, s, prove(s, "c=biws,r="+nonce)); err != nil {
		t.Fatal(err)
	}
	if s.Identity() != (Identity{}) {
		t.Error("an identity before the client has seen our proof")
	}
	if _, _, err := say(t, s, []byte("more")); !errors.Is(err, ErrProtocol) {
		t.Errorf("talk instead of the closing empty message: %v", err)
	}
	if other, _ := newServer(); other.nonce == s.nonce || len(s.nonce) < 24 {
		t.Error("nonces are not fresh")
	}
}

func FuzzScram(f *testing.F) {
	f.Add([]byte("n,,n=alice@example.test,r=abcdefgh"), []byte("c=biws,r=abcdefghnonce,p=AAAA"))
	f.Add([]byte("y,a=x,n=a=2Cb,r=abc"), []byte("c=biws,r=abcnonce,x=1,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	f.Add([]byte("p=tls-exporter,,n=a,r=b"), []byte(""))
	f.Fuzz(func(t *testing.T, first, final []byte) {
		s := &scramServer{exchange: exchange{auth: vectorOrAnyone{}, state: inTLS12}, nonce: "nonce"}
		challenge, done, err := s.Next(t.Context(), first)
		if done {
			t.Fatal("done after the first message")
		}
		if err != nil {
			return
		}
		if !strings.HasPrefix(string(challenge), "r="+s.first.nonce+"nonce,s=") {
			t.Fatalf("challenge %q", challenge)
		}
		if _, done, err = s.Next(t.Context(), final); done || err == nil {
			t.Fatalf("an unproven client: done %v, error %v", done, err)
		}
	})
}

// vectorOrAnyone has credentials for everybody that nobody can prove.
type vectorOrAnyone struct{ vector }

func (vectorOrAnyone) Scram(context.Context, string) (ScramCredentials, error) {
	return ScramCredentials{Salt: []byte("salt"), Iterations: 1, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}, nil
}
