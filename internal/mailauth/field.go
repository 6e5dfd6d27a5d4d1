package mailauth

import (
	"cmp"
	"strconv"
	"strings"

	"postern/dkim"
	"postern/internal/mailauth/authres"
	"postern/internal/mailauth/dmarc"
)

// Field writes the results as one Authentication-Results field with its line end (RFC 8601), folded. What strangers chose
// is quoted or replaced, so that it says nothing but itself; no line is longer than 998 bytes.
func (r Results) Field(authservID string) []byte {
	const name = "Authentication-Results: "
	return append(r.authres(authservID).Append(append(make([]byte, 0, 768), name...), len(name)), '\r', '\n')
}

// ARCResults is what a new ARC set says of the message: the value of the same field, for [dkim.Sealing].
func (r Results) ARCResults(authservID string) string {
	return string(r.authres(authservID).Append(nil, len("ARC-Authentication-Results: i=50; ")))
}

func (r Results) authres(authservID string) authres.Field {
	f := authres.Field{ID: authservID}
	f.Results = append(f.Results, r.spfResults()...)
	f.Results = append(f.Results, r.dkimResults()...)
	if r.ARC.Result != "" {
		f.Results = append(f.Results, r.arcResult())
	}
	if r.DMARC.Status != "" {
		f.Results = append(f.Results, r.dmarcResult())
	}
	if r.IPRev.Status != "" {
		f.Results = append(f.Results, authres.Result{
			Method: "iprev", Value: string(r.IPRev.Status), Comment: r.IPRev.Name,
			Props: []authres.Property{{Type: "policy", Name: "iprev", Value: r.Client.Unmap().String()}},
		})
	}
	return f
}

// spfResults are one result for each identity that was checked (RFC 8601 2.7.2).
func (r Results) spfResults() []authres.Result {
	from := authres.Property{Type: "smtp", Name: "mailfrom", Value: r.From.String()}
	helo := authres.Property{Type: "smtp", Name: "helo", Value: r.HeloName}
	if r.From.IsZero() {
		return []authres.Result{r.SPF.result(helo)}
	}
	list := []authres.Result{r.SPF.result(from)}
	if r.Helo.Status != "" && r.Helo.Status != None {
		list = append(list, r.Helo.result(helo))
	}
	return list
}

func (s SPF) result(p authres.Property) authres.Result {
	out := authres.Result{Method: "spf", Value: string(s.Status), Props: []authres.Property{p}}
	switch {
	case s.Status == TempError:
		out.Reason = "the DNS did not answer" // which of our resolvers, and why, is nobody's business
	case s.Cause != nil:
		out.Reason = s.Cause.Error()
	case s.Mechanism != "":
		out.Comment = s.Mechanism
	}
	return out
}

func (r Results) dkimResults() []authres.Result {
	if len(r.DKIM) == 0 {
		return []authres.Result{{Method: "dkim", Value: string(None)}}
	}
	list := make([]authres.Result, 0, len(r.DKIM))
	for _, v := range r.DKIM {
		out := authres.Result{Method: "dkim", Value: string(v.Result), Comment: signatureRemark(v), Reason: v.Reason}
		for _, p := range []authres.Property{
			{Name: "d", Value: v.Domain}, {Name: "s", Value: v.Selector}, {Name: "a", Value: v.Algorithm},
			{Name: "b", Value: v.SignaturePrefix}, // RFC 6008
		} {
			if p.Value != "" {
				p.Type = "header"
				out.Props = append(out.Props, p)
			}
		}
		list = append(list, out)
	}
	return list
}

func signatureRemark(v dkim.Verification) string {
	var words []string
	if v.KeyBits > 0 {
		words = append(words, strconv.Itoa(v.KeyBits)+"-bit key")
	}
	if v.Testing {
		words = append(words, "testing")
	}
	if v.Intact && v.Result != dkim.ResultPass {
		words = append(words, "intact")
	}
	return strings.Join(words, ", ")
}

func (r Results) arcResult() authres.Result {
	out := authres.Result{Method: "arc", Value: string(r.ARC.Result), Reason: r.ARC.Reason}
	if n := len(r.ARC.Sets); n > 0 {
		out.Comment = "i=" + strconv.Itoa(n) + " " + r.ARC.Sets[n-1].Domain
		// RFC 8617 10.2
		out.Props = []authres.Property{{Type: "smtp", Name: "remote-ip", Value: r.Client.Unmap().String()}}
	}
	return out
}

// dmarcResult tells of the author that decided.
func (r Results) dmarcResult() authres.Result {
	d := r.DMARC
	out := authres.Result{Method: "dmarc", Value: string(d.Status)}
	if d.Status != Pass && d.Status != None {
		out.Reason = d.Reason
	}
	if a := d.decisive(); a != nil {
		out.Comment = a.policyWords(d)
		out.Props = []authres.Property{{Type: "header", Name: "from", Value: a.Domain}}
	}
	return out
}

// decisive is the author whose outcome is that of all: the one that asks for the strictest, nil without authors.
func (d DMARC) decisive() *Author {
	var found *Author
	for i := range d.Authors {
		a := &d.Authors[i]
		switch {
		case found == nil:
			found = a
		case a.Status == d.Status && (found.Status != d.Status || dmarc.Stricter(found.Disposition, a.Disposition) != found.Disposition):
			found = a
		}
	}
	return found
}

// policyWords are like "p=reject sp=none dis=quarantine".
func (a *Author) policyWords(d DMARC) string {
	if a.Found.Domain == "" {
		return "no policy"
	}
	words := []string{"p=" + string(a.Found.Record.Policy)}
	if a.Found.Inherited {
		words = append(words, "of "+a.Found.Domain)
	}
	for _, p := range []struct {
		tag   string
		value dmarc.Policy
	}{{"sp=", a.Found.Record.Subdomains}, {"np=", a.Found.Record.Nonexistent}} {
		if p.value != "" {
			words = append(words, p.tag+string(p.value))
		}
	}
	if a.Found.Record.Testing {
		words = append(words, "t=y")
	}
	words = append(words, "dis="+string(d.Effective()))
	if why := cmp.Or(d.LocalWhy, d.Override); why != "" {
		words = append(words, why)
	}
	return strings.Join(words, " ")
}
