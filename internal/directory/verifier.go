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
)

// saltSize is the length of salts in bytes; PW-2 asks for 16 at least.
const saltSize = 16

// credentials are what is kept of a password. There are two, each with a salt of its own, since no number of rounds
// serves both ways to log in: what can be stolen with the database must be costly to attack, while what SCRAM has the
// client compute must be cheap enough for clients to take part. So the cheaper one is kept encrypted; see [sealer].
type credentials struct {
	verifier verifier
	scram    scramKeys // zero when there is none that we can read
}

// rounds are those that credentials should have now.
type rounds struct{ verifier, scram int }

// makeCredentials hashes a prepared password. This is the costly step.
func makeCredentials(password string, r rounds) credentials {
	return credentials{makeVerifier(password, r.verifier), makeScramKeys(password, r.scram)}
}

// verifier checks a password: PBKDF2-SHA256 of it under a salt of its own. It is stored as a PHC string,
//
//	$pbkdf2-sha256$i=600000$<salt>$<hash>
//
// with unpadded base64.
type verifier struct {
	iterations int
	salt       string
	hash       string
}

const verifierScheme = "pbkdf2-sha256"

var phc = base64.RawStdEncoding.Strict()

func (v verifier) String() string {
	return fmt.Sprintf("$%s$i=%d$%s$%s", verifierScheme, v.iterations, phc.EncodeToString([]byte(v.salt)), phc.EncodeToString([]byte(v.hash)))
}

// parseVerifier reads the stored form. Its errors hold nothing of it.
func parseVerifier(s string) (verifier, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 5 || fields[0] != "" || fields[1] != verifierScheme || !strings.HasPrefix(fields[2], "i=") {
		return verifier{}, errVerifier
	}
	n, err := strconv.Atoi(fields[2][2:])
	if err != nil || n < 1 || n > maxIterations {
		return verifier{}, errVerifier
	}
	salt, err := phc.DecodeString(fields[3])
	if err != nil || len(salt) < saltSize {
		return verifier{}, errVerifier
	}
	hash, err := phc.DecodeString(fields[4])
	if err != nil || len(hash) != sha256.Size {
		return verifier{}, errVerifier
	}
	return verifier{n, string(salt), string(hash)}, nil
}

const maxIterations = 10000000

var errVerifier = Refuse(ErrInvalid, "a stored password verifier is damaged; set the password anew")

func makeVerifier(password string, iterations int) verifier {
	salt := newSalt()
	return verifier{iterations, salt, string(stretch(password, salt, iterations))}
}

// matches hashes a prepared password and compares in constant time.
func (v verifier) matches(password string) bool {
	return subtle.ConstantTimeCompare(stretch(password, v.salt, v.iterations), []byte(v.hash)) == 1
}

func newSalt() string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return string(salt)
}

// stretch is PBKDF2-SHA256, which takes its time.
func stretch(password, salt string, iterations int) []byte {
	hash, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, sha256.Size)
	if err != nil {
		panic("directory: pbkdf2: " + err.Error()) // only for lengths that we do not use
	}
	return hash
}
