package sasl

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
)

// exporter is the channel binding tls-exporter (RFC 9266), nil where it cannot be had.
func exporter(state *tls.ConnectionState) []byte {
	if state == nil || !state.HandshakeComplete || state.Version < tls.VersionTLS13 {
		return nil
	}
	b, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil
	}
	return b
}

// endPoint is the channel binding tls-server-end-point (RFC 5929 4): the certificate's hash by its own signature's hash
// function, by SHA-256 where that is MD5 or SHA-1; nil where the signature has no single hash function.
func endPoint(der []byte) []byte {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	hash := crypto.Hash(0)
	switch certificate.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		hash = crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		hash = crypto.SHA512
	default:
		return nil
	}
	h := hash.New()
	h.Write(der)
	return h.Sum(nil)
}

type captureKey struct{}

// CaptureCertificate makes a copy of a server's configuration that notes, per connection, which certificate it showed:
// Go's connection state does not tell the server its own. The session handshakes with
//
//	ctx, shown := sasl.ShownCertificate(ctx)
//	conn.HandshakeContext(ctx)
//	… sasl.NewServer(mechanism, a, &state, sasl.Certificate(shown()))
//
// A resumed session shows none, and then tls-server-end-point is refused; tls-exporter always works. A configuration
// that hands over to another by GetConfigForClient must hand over to one made here.
func CaptureCertificate(config *tls.Config) *tls.Config {
	c, inner := config.Clone(), config
	c.Certificates = nil // else crypto/tls would not ask for clients that send no name
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := pick(inner, hello)
		if err == nil && certificate != nil && len(certificate.Certificate) > 0 {
			if shown, ok := hello.Context().Value(captureKey{}).(*[]byte); ok {
				*shown = certificate.Certificate[0]
			}
		}
		return certificate, err
	}
	return c
}

// ShownCertificate prepares a handshake's context; after the handshake shown gives the certificate, DER, or nil.
func ShownCertificate(ctx context.Context) (_ context.Context, shown func() []byte) {
	var der []byte
	return context.WithValue(ctx, captureKey{}, &der), func() []byte { return der }
}

// pick chooses as crypto/tls does: GetCertificate first, then the first certificate that suits the client, else the first.
func pick(config *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if config.GetCertificate != nil && (len(config.Certificates) == 0 || hello.ServerName != "") {
		if certificate, err := config.GetCertificate(hello); certificate != nil || err != nil {
			return certificate, err
		}
	}
	for i := range config.Certificates {
		if hello.SupportsCertificate(&config.Certificates[i]) == nil {
			return &config.Certificates[i], nil
		}
	}
	if len(config.Certificates) > 0 {
		return &config.Certificates[0], nil
	}
	return nil, nil
}
