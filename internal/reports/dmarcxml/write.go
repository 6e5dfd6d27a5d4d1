package dmarcxml

import (
	"encoding/xml"
	"io"
	"strings"
)

// The structures below stand in the order of RFC 7489 appendix C. They hold what its schema and that of RFC 9990 have in
// common: the elements that the older one asks for, and of the newer ones those that every reader passes over.
type (
	xmlFeedback struct {
		XMLName  xml.Name    `xml:"feedback"`
		Version  string      `xml:"version"`
		Metadata xmlMetadata `xml:"report_metadata"`
		Policy   xmlPolicy   `xml:"policy_published"`
		Records  []xmlRecord `xml:"record"`
	}
	xmlMetadata struct {
		Org       string   `xml:"org_name"`
		Email     string   `xml:"email"`
		Contact   string   `xml:"extra_contact_info,omitempty"`
		ID        string   `xml:"report_id"`
		Begin     int64    `xml:"date_range>begin"`
		End       int64    `xml:"date_range>end"`
		Errors    []string `xml:"error"`
		Generator string   `xml:"generator,omitempty"`
	}
	xmlPolicy struct {
		Domain    string `xml:"domain"`
		ADKIM     string `xml:"adkim,omitempty"`
		ASPF      string `xml:"aspf,omitempty"`
		P         string `xml:"p"`
		SP        string `xml:"sp"`
		Percent   string `xml:"pct"`
		FO        string `xml:"fo,omitempty"`
		NP        string `xml:"np,omitempty"`
		Testing   string `xml:"testing,omitempty"`
		Discovery string `xml:"discovery_method,omitempty"`
	}
	xmlRecord struct {
		Source       string      `xml:"row>source_ip"`
		Count        int64       `xml:"row>count"`
		Disposition  string      `xml:"row>policy_evaluated>disposition"`
		DKIM         string      `xml:"row>policy_evaluated>dkim"`
		SPF          string      `xml:"row>policy_evaluated>spf"`
		Reasons      []xmlReason `xml:"row>policy_evaluated>reason"`
		EnvelopeTo   *string     `xml:"identifiers>envelope_to"`
		EnvelopeFrom string      `xml:"identifiers>envelope_from"`
		HeaderFrom   string      `xml:"identifiers>header_from"`
		DKIMResults  []xmlDKIM   `xml:"auth_results>dkim"`
		SPFResults   []xmlSPF    `xml:"auth_results>spf"`
	}
	xmlReason struct {
		Type    string `xml:"type"`
		Comment string `xml:"comment,omitempty"`
	}
	xmlDKIM struct {
		Domain   string `xml:"domain"`
		Selector string `xml:"selector,omitempty"`
		Result   string `xml:"result"`
		Human    string `xml:"human_result,omitempty"`
	}
	xmlSPF struct {
		Domain string `xml:"domain"`
		Scope  string `xml:"scope"`
		Result string `xml:"result"`
	}
)

// Write writes the report as XML.
func (f *Feedback) Write(w io.Writer) error {
	out := xmlFeedback{
		Version: or(f.Version, "1.0"),
		Metadata: xmlMetadata{Org: f.Org, Email: f.Email, Contact: f.Contact, ID: f.ID, Begin: max(0, f.Begin.Unix()), End: max(0, f.End.Unix()),
			Errors: f.Errors, Generator: f.Generator},
		Policy: xmlPolicy{Domain: f.Policy.Domain, ADKIM: f.Policy.ADKIM, ASPF: f.Policy.ASPF, P: or(f.Policy.P, "none"),
			SP: or(f.Policy.SP, or(f.Policy.P, "none")), Percent: or(f.Policy.Percent, "100"), FO: f.Policy.FO, NP: f.Policy.NP,
			Testing: f.Policy.Testing, Discovery: f.Policy.Discovery},
		Records: make([]xmlRecord, len(f.Records)),
	}
	for i := range f.Records {
		out.Records[i] = f.Records[i].xml()
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r *Record) xml() xmlRecord {
	out := xmlRecord{
		Source: r.Source.String(), Count: r.Count, Disposition: or(r.Disposition, "none"), DKIM: or(r.DKIM, "fail"), SPF: or(r.SPF, "fail"),
		EnvelopeFrom: r.EnvelopeFrom, HeaderFrom: r.HeaderFrom,
	}
	if r.EnvelopeTo != "" {
		out.EnvelopeTo = &r.EnvelopeTo
	}
	for _, reason := range r.Reasons {
		out.Reasons = append(out.Reasons, xmlReason{Type: overrideType(reason.Type), Comment: reason.Comment})
	}
	for _, d := range r.DKIMResults {
		out.DKIMResults = append(out.DKIMResults, xmlDKIM(d))
	}
	for _, s := range r.SPFResults {
		out.SPFResults = append(out.SPFResults, xmlSPF{s.Domain, or(s.Scope, "mfrom"), or(s.Result, "none")})
	}
	return out
}

// overrideType is one that both schemas know.
func overrideType(s string) string {
	switch s = strings.ToLower(s); s {
	case "trusted_forwarder", "mailing_list", "local_policy", "other":
		return s
	}
	return "other"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
