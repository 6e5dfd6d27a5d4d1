package reports

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"

	"postern/internal/reports/tlsrpt"
	"postern/internal/settings"
)

// TLSObservation is how TLS went in one session with a mail exchanger of a domain elsewhere.
type TLSObservation struct {
	// Domain is the recipients', Host the exchanger's name.
	Domain, Host string
	// Policy is tlsrpt.NoPolicy, tlsrpt.PolicySTS or tlsrpt.PolicyTLSA; Lines are its text and MXHosts the patterns of an
	// MTA-STS policy.
	Policy         string
	Lines, MXHosts []string
	// Result is "" for a session under TLS, or one of RFC 8460 4.3; see ResultOf. Reason are words about it.
	Result, Reason string
	// SendingIP is ours, ReceivingIP the exchanger's.
	SendingIP, ReceivingIP netip.Addr
	// Report: the session was made to deliver a report.
	Report bool
}

// maxPolicyLines bounds the text of a policy.
const maxPolicyLines = 50

// ObserveTLS counts a session for the report to the domain. It touches memory only; whether the domain asks for reports is
// looked up when they are sent.
func (r *Reporter) ObserveTLS(o TLSObservation) {
	if o.Report || !settings.ReportsTLSSend.Get(r.o.Settings) || r.isOurs(o.Domain) || strings.HasPrefix(o.Domain, "[") {
		return
	}
	o.Lines = o.Lines[:min(len(o.Lines), maxPolicyLines)]
	o.MXHosts = o.MXHosts[:min(len(o.MXHosts), maxPolicyLines)]
	at := seenDomain{TLS, r.today(), domainName(o.Domain)}
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	r.seen.scratch = o.appendKey(r.seen.scratch[:0])
	if !r.seen.count(at, "") {
		r.seen.put(at, "", o.session())
	}
}

// appendKey writes all that sessions counted together have in common. Of those that went well that is the policy alone.
func (o *TLSObservation) appendKey(b []byte) []byte {
	b = appendFields(b, o.Policy, o.Result)
	if o.Result != "" {
		b = appendFields(b, o.Host, o.Reason)
		b = o.ReceivingIP.AppendTo(append(o.SendingIP.AppendTo(b), 0))
	}
	return appendFields(appendFields(b, o.Lines...), o.MXHosts...)
}

// seenSession is the column detail of report_seen for TLS.
type seenSession struct {
	Policy      string     `json:"policy"`
	Lines       []string   `json:"lines,omitempty"`
	MXHosts     []string   `json:"mx_hosts,omitempty"`
	Result      string     `json:"result,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Host        string     `json:"host,omitempty"`
	SendingIP   netip.Addr `json:"sending_ip,omitzero"`
	ReceivingIP netip.Addr `json:"receiving_ip,omitzero"`
}

func (o *TLSObservation) session() seenSession {
	s := seenSession{Policy: cut(o.Policy), Result: cut(o.Result)}
	for _, line := range o.Lines {
		s.Lines = append(s.Lines, cut(line))
	}
	for _, host := range o.MXHosts {
		s.MXHosts = append(s.MXHosts, cut(host))
	}
	if o.Result != "" {
		s.Host, s.Reason = cut(o.Host), cut(o.Reason)
		s.SendingIP, s.ReceivingIP = o.SendingIP.Unmap().WithZone(""), o.ReceivingIP.Unmap().WithZone("")
	}
	return s
}

// ResultOf names a failure of TLS as RFC 8460 4.3 does; "" for none. An error that knows its name tells it by a method
// TLSResult.
func ResultOf(err error) string {
	var named interface{ TLSResult() string }
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &named):
		return named.TLSResult()
	case errors.As(err, new(x509.HostnameError)):
		return tlsrpt.CertificateHostMismatch
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return tlsrpt.CertificateExpired
	case errors.As(err, &invalid), errors.As(err, new(x509.UnknownAuthorityError)):
		return tlsrpt.CertificateNotTrusted
	}
	return tlsrpt.ValidationFailure
}
