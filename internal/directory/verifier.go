package directory

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"postern/internal/sasl"
)

// saltSize is the length of salts in bytes; PW-2 asks for 16 at least.
const saltSize = 16

// verifier is what is kept of a password: PBKDF2-SHA256 with a salt of its own, taken two steps further as RFC 5802 3
// does, so that one value checks a password that PLAIN brings and a proof that SCRAM-SHA-256 brings. It is stored as
//
//	$pbkdf2-sha256-scram$i=600000$<salt>$<StoredKey>$<ServerKey>
//
// with unpadded base64, in the manner of PHC strings. The password cannot be had from it, nor logged in with it.
type verifier struct {
	iterations int
	salt       string
	storedKey  string
	serverKey  string
}

const verifierScheme = "pbkdf2-sha256-scram"

var phc = base64.RawStdEncoding.Strict()

func (v verifier) String() string {
	return fmt.Sprintf("$%s$i=%d$%s$%s$%s", verifierScheme, v.iterations, phc.EncodeToString([]byte(v.salt)),
		phc.EncodeToString([]byte(v.storedKey)), phc.EncodeToString([]byte(v.serverKey)))
}

// parseVerifier reads the stored form. Its errors hold nothing of it.
func parseVerifier(s string) (verifier, error) {
	var v verifier
	fields := strings.Split(s, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != verifierScheme || !strings.HasPrefix(fields[2], "i=") {
		return v, errVerifier
	}
	n, err := strconv.Atoi(fields[2][2:])
	if err != nil || n < 1 || n > maxIterations {
		return v, errVerifier
	}
	v.iterations = n
	for i, part := range []*string{&v.salt, &v.storedKey, &v.serverKey} {
		b, err := phc.DecodeString(fields[3+i])
		if err != nil {
			return v, errVerifier
		}
		*part = string(b)
	}
	if len(v.salt) < saltSize || len(v.storedKey) != sha256.Size || len(v.serverKey) != sha256.Size {
		return v, errVerifier
	}
	return v, nil
}

const maxIterations = 10000000

var errVerifier = refuse(ErrInvalid, "a stored password verifier is damaged; set the password anew")

// makeVerifier hashes a prepared password under a fresh salt.
func makeVerifier(password string, iterations int) verifier {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return deriveVerifier(password, string(salt), iterations)
}

// deriveVerifier hashes a prepared password. This is the costly step.
func deriveVerifier(password, salt string, iterations int) verifier {
	salted, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, sha256.Size)
	if err != nil {
		panic("directory: pbkdf2: " + err.Error()) // only for lengths that we do not use
	}
	stored, server := sasl.ScramKeys(salted)
	return verifier{iterations: iterations, salt: salt, storedKey: string(stored), serverKey: string(server)}
}

// matches hashes a prepared password and compares in constant time.
func (v verifier) matches(password string) bool {
	got := deriveVerifier(password, v.salt, v.iterations)
	return subtle.ConstantTimeCompare([]byte(got.storedKey), []byte(v.storedKey)) == 1
}
