package sasl

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"testing"
)

// people is an Authenticator that knows passwords in clear.
type people map[string]string

const (
	testSalt       = "0123456789abcdef"
	testIterations = 4096
)

func (p people) Authenticate(_ context.Context, login, password string) (Identity, error) {
	known, ok := p[login]
	if prepared, err := Prepare(password); err != nil || !ok || prepared != known {
		return Identity{}, ErrBadCredentials
	}
	return Identity{Account: int64(len(login)), Login: login}, nil
}

func (p people) Scram(_ context.Context, login string) (ScramCredentials, error) {
	c := ScramCredentials{Salt: []byte(testSalt), Iterations: testIterations, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}
	password, ok := p[login]
	if !ok {
		return c, nil
	}
	salted, err := pbkdf2.Key(sha256.New, password, c.Salt, c.Iterations, sha256.Size)
	if err != nil {
		return c, err
	}
	c.StoredKey, c.ServerKey = ScramKeys(salted)
	c.Identity = Identity{Account: int64(len(login)), Login: login}
	return c, nil
}

var testPeople = people{
	"alice@example.test":    "Secret-Garden-7",
	"a,b=c@example.test":    "Comma=Equals,9",
	"\u00fcmit@\u00fc.test": "Pa\u00dfwort-\u00c4\u00d6\u00dc-1",
}

// say sends messages in turn and gives the last outcome. nil stands for no initial response.
func say(t *testing.T, s Server, messages ...[]byte) (challenge []byte, done bool, err error) {
	t.Helper()
	for i, message := range messages {
		challenge, done, err = s.Next(t.Context(), message)
		if (done || err != nil) && i < len(messages)-1 {
			t.Fatalf("over after message %d: done %v, error %v", i, done, err)
		}
	}
	return challenge, done, err
}
