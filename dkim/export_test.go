package dkim

import "crypto"

// KeyOf makes a key of somebody else's.
func KeyOf(domain, selector string, private crypto.Signer) *Key {
	return &Key{Domain: domain, Selector: selector, Algorithm: RSA, State: Active, private: private}
}
