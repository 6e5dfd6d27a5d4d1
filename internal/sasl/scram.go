package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scramServer is RFC 5802 with SHA-256 (RFC 7677).
type scramServer struct {
	exchange
	plus  bool // the mechanism is the -PLUS one
	nonce string
	step  int

	first       clientFirst
	serverFirst string
	credentials ScramCredentials
	proven      bool
}

func (s *scramServer) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if err := s.guard(response); err != nil {
		return nil, false, err
	}
	if response == nil && s.step == 0 {
		s.step = 1
		return []byte{}, false, nil
	}
	challenge, done, err := s.advance(ctx, string(response))
	s.over = done || err != nil
	return challenge, done, err
}

func (s *scramServer) advance(ctx context.Context, message string) ([]byte, bool, error) {
	switch {
	case s.serverFirst == "":
		challenge, err := s.answerFirst(ctx, message)
		return challenge, false, err
	case !s.proven:
		challenge, err := s.answerFinal(message)
		if err != nil || !s.dataWithSuccess {
			return challenge, false, err
		}
		s.identity = s.credentials.Identity
		return challenge, true, nil
	case message == "":
		// SMTP and IMAP cannot send data along with success: the client answers the signature with an empty message.
		s.identity = s.credentials.Identity
		return nil, true, nil
	default:
		return nil, false, ErrProtocol
	}
}

// answerFirst turns the client-first-message into the server-first-message: nonce, salt, iterations.
func (s *scramServer) answerFirst(ctx context.Context, message string) ([]byte, error) {
	first, err := parseClientFirst(message)
	if err != nil {
		return nil, err
	}
	if err := s.checkBindingFlag(first); err != nil {
		return nil, err
	}
	if err := s.claim(ctx, first.username); err != nil {
		return nil, err
	}
	credentials, err := s.auth.Scram(ctx, first.username)
	if err != nil {
		return nil, err
	}
	s.first, s.credentials = first, credentials
	s.serverFirst = "r=" + first.nonce + s.nonce +
		",s=" + base64.StdEncoding.EncodeToString(credentials.Salt) +
		",i=" + strconv.Itoa(credentials.Iterations)
	return []byte(s.serverFirst), nil
}

// checkBindingFlag is RFC 5802 6: a client that could bind but saw no -PLUS ("y") while we offered it was lied to.
func (s *scramServer) checkBindingFlag(first clientFirst) error {
	switch first.flag {
	case 'p':
		if !s.plus || s.bindingData(first.binding) == nil {
			return ErrProtocol
		}
	case 'y':
		if s.plus || s.offersPlus {
			return ErrProtocol
		}
	default:
		if s.plus {
			return ErrProtocol
		}
	}
	return nil
}

func (s *scramServer) bindingData(name string) []byte {
	switch name {
	case "tls-exporter":
		return exporter(s.state)
	case "tls-server-end-point":
		return endPoint(s.certificate)
	}
	return nil
}

// answerFinal checks the client-final-message's proof and gives the server's own proof, the server-final-message.
func (s *scramServer) answerFinal(message string) ([]byte, error) {
	final, err := parseClientFinal(message)
	if err != nil {
		return nil, err
	}
	wanted := s.first.gs2
	if s.first.flag == 'p' {
		wanted += string(s.bindingData(s.first.binding))
	}
	if subtle.ConstantTimeCompare([]byte(final.binding), []byte(wanted)) != 1 ||
		subtle.ConstantTimeCompare([]byte(final.nonce), []byte(s.first.nonce+s.nonce)) != 1 {
		return nil, ErrBadCredentials
	}
	authMessage := s.first.bare + "," + s.serverFirst + "," + final.withoutProof
	if !provenBy(s.credentials.StoredKey, authMessage, final.proof) {
		return nil, ErrBadCredentials
	}
	if !sameIdentity(s.first.authzid, s.first.username, s.credentials.Identity) {
		return nil, ErrBadCredentials
	}
	s.proven = true
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(s.credentials.ServerKey, authMessage))), nil
}

// provenBy is RFC 5802 3: the proof is ClientKey XOR HMAC(StoredKey, AuthMessage), and StoredKey is H(ClientKey).
func provenBy(storedKey []byte, authMessage string, proof []byte) bool {
	signature := mac(storedKey, authMessage)
	if len(proof) != len(signature) || len(storedKey) != sha256.Size {
		return false
	}
	for i := range signature {
		signature[i] ^= proof[i]
	}
	clientKey := sha256.Sum256(signature)
	return subtle.ConstantTimeCompare(clientKey[:], storedKey) == 1
}

// ScramKeys derives what a server keeps from PBKDF2's output (RFC 5802 3).
func ScramKeys(saltedPassword []byte) (storedKey, serverKey []byte) {
	stored := sha256.Sum256(mac(saltedPassword, "Client Key"))
	return stored[:], mac(saltedPassword, "Server Key")
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func newNonce() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// clientFirst is the client-first-message.
type clientFirst struct {
	gs2      string // the gs2-header as sent, which the channel binding repeats
	flag     byte   // 'n', 'y' or 'p'
	binding  string // its name, with 'p'
	authzid  string
	bare     string // client-first-message-bare
	username string
	nonce    string
}

// parseClientFirst is RFC 5802 7.
func parseClientFirst(message string) (clientFirst, error) {
	var f clientFirst
	if !utf8.ValidString(message) || strings.IndexByte(message, 0) >= 0 {
		return f, ErrProtocol
	}
	flag, rest, ok1 := strings.Cut(message, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok1 || !ok2 || flag == "" {
		return f, ErrProtocol
	}
	f.flag, f.bare, f.gs2 = flag[0], bare, message[:len(message)-len(bare)]
	name, named := strings.CutPrefix(flag, "p=")
	switch {
	case named && name != "":
		f.binding = name
	case flag != "n" && flag != "y":
		return f, ErrProtocol
	}
	var ok bool
	if authzid != "" {
		encoded, has := strings.CutPrefix(authzid, "a=")
		if f.authzid, ok = decodeName(encoded); !has || !ok {
			return f, ErrProtocol
		}
	}
	// A mandatory extension, "m=", in place of the name is one that we do not know.
	fields := strings.Split(bare, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") || !strings.HasPrefix(fields[1], "r=") {
		return f, ErrProtocol
	}
	if f.username, ok = decodeName(fields[0][2:]); !ok {
		return f, ErrProtocol
	}
	if f.nonce = fields[1][2:]; !validNonce(f.nonce) {
		return f, ErrProtocol
	}
	return f, nil
}

// clientFinal is the client-final-message.
type clientFinal struct {
	binding      string // decoded
	nonce        string
	withoutProof string
	proof        []byte
}

func parseClientFinal(message string) (clientFinal, error) {
	var f clientFinal
	at := strings.LastIndex(message, ",p=")
	if at < 0 || !utf8.ValidString(message) {
		return f, ErrProtocol
	}
	f.withoutProof = message[:at]
	proof, err := decode64(message[at+len(",p="):])
	if err != nil {
		return f, err
	}
	fields := strings.Split(f.withoutProof, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "c=") || !strings.HasPrefix(fields[1], "r=") {
		return f, ErrProtocol
	}
	binding, err := decode64(fields[0][2:])
	if err != nil {
		return f, err
	}
	f.binding, f.nonce, f.proof = string(binding), fields[1][2:], proof
	return f, nil
}

// decodeName reads a saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" an error. A name is never empty.
func decodeName(s string) (string, bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "=")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), b.Len() > 0
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", false
		}
		s = after[2:]
	}
}

// validNonce is RFC 5802 7's printable: ASCII without the comma, one at least.
func validNonce(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x21 || s[i] > 0x7e || s[i] == ',' {
			return false
		}
	}
	return len(s) > 0
}
