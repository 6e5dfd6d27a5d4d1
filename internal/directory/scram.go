package directory

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"postern/internal/sasl"
)

// scramKeys is what SCRAM-SHA-256 needs of a password (RFC 5802 3). Nobody can log in with it.
type scramKeys struct {
	iterations int
	salt       string
	storedKey  string
	serverKey  string
}

func makeScramKeys(password string, iterations int) scramKeys {
	return deriveScramKeys(password, newSalt(), iterations)
}

func deriveScramKeys(password, salt string, iterations int) scramKeys {
	stored, server := sasl.ScramKeys(stretch(password, salt, iterations))
	return scramKeys{iterations, salt, string(stored), string(server)}
}

// Their binary form: iterations, salt, StoredKey, ServerKey.
const scramKeysSize = 4 + saltSize + 2*sha256.Size

func (k scramKeys) encode() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, scramKeysSize), uint32(k.iterations))
	b = append(b, k.salt...)
	b = append(b, k.storedKey...)
	return append(b, k.serverKey...)
}

func decodeScramKeys(b []byte) (scramKeys, bool) {
	if len(b) != scramKeysSize {
		return scramKeys{}, false
	}
	n, salt, keys := binary.BigEndian.Uint32(b), b[4:4+saltSize], b[4+saltSize:]
	if n < 1 || n > maxIterations {
		return scramKeys{}, false
	}
	return scramKeys{int(n), string(salt), string(keys[:sha256.Size]), string(keys[sha256.Size:])}, true
}

// Scram gives what proves a password (sasl.Authenticator). For an unknown login it makes up credentials that no one can
// prove, the same each time; a disabled account has its salt, and keys that no one can prove. An account whose own
// cannot be read is answered as if it were unknown, until a login with the password itself makes them anew.
func (d *Directory) Scram(_ context.Context, login string) (sasl.ScramCredentials, error) {
	key := sasl.LoginKey(login)
	p := d.now.Load().person(key)
	k := d.unprovableScram(key)
	var id sasl.Identity
	switch {
	case p == nil || p.scram == scramKeys{}:
	case p.Disabled:
		k.salt, k.iterations = p.scram.salt, p.scram.iterations
	default:
		k, id = p.scram, p.identity()
	}
	return sasl.ScramCredentials{
		Identity:   id,
		Salt:       []byte(k.salt),
		Iterations: k.iterations,
		StoredKey:  []byte(k.storedKey),
		ServerKey:  []byte(k.serverKey),
	}, nil
}

// unprovable makes up the verifier of someone who is not there. Checking a password against it costs as much as against
// a true one.
func (d *Directory) unprovable(key string) verifier {
	return verifier{d.rounds().verifier, d.madeUp("salt", key)[:saltSize], d.madeUp("hash", key)}
}

// unprovableScram makes up the keys of someone who is not there: they look like any other, and stay the same, so that
// asking twice tells nothing (RFC 5802 9 warns of salts that give users away).
func (d *Directory) unprovableScram(key string) scramKeys {
	return scramKeys{d.rounds().scram, d.madeUp("scram salt", key)[:saltSize], d.madeUp("stored", key), d.madeUp("server", key)}
}

// madeUp is 32 bytes that only we can foretell.
func (d *Directory) madeUp(purpose, key string) string {
	m := hmac.New(sha256.New, d.secret)
	m.Write([]byte(purpose + " "))
	m.Write([]byte(key))
	return string(m.Sum(nil))
}
