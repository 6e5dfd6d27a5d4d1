package directory

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// KeySize is the length of [Options].Key in bytes.
const KeySize = 32

// sealer encrypts what must not be read out of a copy of the database, by AES-256-GCM with a key that is not in it. Each
// value is bound to its account and purpose: moved to another row it cannot be opened.
type sealer struct{ aead cipher.AEAD }

// purposeScram binds a sealed value to its use. It is part of what is stored and never changes.
const purposeScram = "postern scram-sha-256"

func newSealer(key []byte) (sealer, error) {
	if len(key) != KeySize {
		return sealer{}, fmt.Errorf("directory: the key has %d bytes, not %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// sealScram gives the stored form of an account's keys.
func (s sealer) sealScram(account int64, k scramKeys) []byte {
	if k == (scramKeys{}) {
		return []byte{}
	}
	return s.aead.Seal(nil, nil, k.encode(), associated(purposeScram, account))
}

// openScram reads the stored form. It cannot when it was made with another key or for another account.
func (s sealer) openScram(account int64, sealed []byte) (scramKeys, bool) {
	plain, err := s.aead.Open(nil, nil, sealed, associated(purposeScram, account))
	if err != nil {
		return scramKeys{}, false
	}
	return decodeScramKeys(plain)
}

func associated(purpose string, account int64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(purpose), 0), uint64(account))
}
