// Package tlsconf is the one TLS policy of every port, and the certificate behind it.
//
// The road starts at [Open], which takes the certificate from the files that postern.toml names or makes one that is
// signed by a CA of our own, and ends in [Source.Config], a tls.Config whose certificate changes under it without a
// restart: [Source.Watch] looks at the files, [Source.Reload] does so at once. A pair that cannot be used never
// replaces one that can.
package tlsconf

import "crypto/tls"

// Policy is what every TLS port allows: TLS 1.2 and 1.3, forward secrecy and authenticated encryption only. Go never
// compresses, and its servers never renegotiate. It has no certificate.
func Policy() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Of TLS 1.2 only: TLS 1.3 has no other than AEAD suites. Go's own default list still holds CBC suites.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
		Renegotiation:    tls.RenegotiateNever,
	}
}
