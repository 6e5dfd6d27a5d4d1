package reports

import (
	"fmt"

	"postern/internal/reports/tlsrpt"
)

// adviseSource says what the figures of a source mean for the domain's owner, "" when nothing is to be done.
func adviseSource(domain string, s *Source) string {
	service := ""
	switch {
	case s.Signer != "":
		service = ", signed by " + s.Signer
	case s.Envelope != "":
		service = ", with a return path at " + s.Envelope
	}
	switch {
	case s.IP == "":
		return ""
	case s.Failed == s.Messages:
		return fmt.Sprintf("neither DKIM nor SPF vouch for it%s: a forger, or a service of yours that was forgotten; if it is yours, let it sign as %s or name it in the SPF record, else leave it to the policy", service, domain)
	case s.Failed > 0 && s.DKIMOnly+s.Both > 0:
		return fmt.Sprintf("some of its mail is altered on the way, or not signed%s: look whether each program there signs as %s", service, domain)
	case s.Failed > 0:
		return fmt.Sprintf("some of its mail has another return path and no signature%s: let it sign as %s", service, domain)
	case s.SPFOnly > 0 && s.DKIMOnly+s.Both == 0:
		return fmt.Sprintf("SPF alone vouches for it, which ends when somebody forwards the mail: let it sign as %s", domain)
	}
	return ""
}

// adviseTLS says what a failure means for the owner of the server, "" for a type that nobody here knows.
func adviseTLS(f *TLSFailure) string {
	host := f.Host
	if host == "" {
		host = "the server"
	}
	switch f.Type {
	case tlsrpt.StartTLSNotSupported:
		return host + " offered no STARTTLS to them: see that port 25 leads to this server, and that no firewall between changes the session"
	case tlsrpt.CertificateHostMismatch:
		return "the certificate of " + host + " has not that name: get one that names the host in the MX record"
	case tlsrpt.CertificateExpired:
		return "the certificate of " + host + " had expired: renew it, then `postern check`"
	case tlsrpt.CertificateNotTrusted:
		return "the certificate of " + host + " is from no authority that they trust: get one from a public authority, with its intermediate certificates in the file"
	case tlsrpt.ValidationFailure:
		return "the handshake with " + host + " failed: see its log at that time, and `postern check`"
	case tlsrpt.TLSAInvalid:
		return "the TLSA records of " + host + " do not fit its certificate: publish those of the certificate in use"
	case tlsrpt.DNSSECInvalid:
		return "DNSSEC of the zone of " + host + " does not validate: mend its signatures, or its DS record"
	case tlsrpt.DANERequired:
		return "they insist on DANE and found no TLSA records for " + host + ": publish some, in a signed zone"
	case tlsrpt.STSPolicyFetchError:
		return "the MTA-STS policy could not be fetched: see that https://mta-sts.DOMAIN/.well-known/mta-sts.txt answers with a valid certificate"
	case tlsrpt.STSPolicyInvalid:
		return "the MTA-STS policy cannot be read: see its lines version, mode, mx and max_age (RFC 8461 3.2)"
	case tlsrpt.STSWebPKIInvalid:
		return "the certificate of " + host + " is not valid for a name of the MTA-STS policy: get one from a public authority that names the host in the MX record"
	}
	return ""
}
