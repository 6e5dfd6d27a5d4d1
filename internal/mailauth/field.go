package mailauth

import (
	"cmp"
	"strconv"

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

func (r *Results) authres(authservID string) authres.Field {
	// What is appended to the properties of all results, each takes as its own.
	list := make([]authres.Result, 0, 6+len(r.DKIM))
	props := make([]authres.Property, 0, 5+4*len(r.DKIM))
	list, props = r.appendSPF(list, props)
	list, props = r.appendDKIM(list, props)
	if r.ARC.Result != "" {
		list, props = r.appendARC(list, props)
	}
	if r.DMARC.Status != "" {
		list, props = r.DMARC.appendResult(list, props)
	}
	if r.IPRev.Status != "" {
		out := authres.Result{Method: "iprev", Value: string(r.IPRev.Status), Comment: r.IPRev.Name}
		out.Props, _ = property(props, "policy", "iprev", r.Client.Unmap().String())
		list = append(list, out)
	}
	return authres.Field{ID: authservID, Results: list}
}

// property gives a property that a result has alone, and all with it.
func property(props []authres.Property, kind, name, value string) (own, all []authres.Property) {
	n := len(props)
	props = append(props, authres.Property{Type: kind, Name: name, Value: value})
	return props[n : n+1 : n+1], props
}

// appendSPF appends one result for each identity that was checked (RFC 8601 2.7.2).
func (r *Results) appendSPF(list []authres.Result, props []authres.Property) ([]authres.Result, []authres.Property) {
	out := r.SPF.result()
	if r.From.IsZero() {
		out.Props, props = property(props, "smtp", "helo", r.HeloName)
		return append(list, out), props
	}
	out.Props, props = property(props, "smtp", "mailfrom", r.From.String())
	list = append(list, out)
	if r.Helo.Status != "" && r.Helo.Status != None {
		out = r.Helo.result()
		out.Props, props = property(props, "smtp", "helo", r.HeloName)
		list = append(list, out)
	}
	return list, props
}

func (s *SPF) result() authres.Result {
	out := authres.Result{Method: "spf", Value: string(s.Status)}
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

func (r *Results) appendDKIM(list []authres.Result, props []authres.Property) ([]authres.Result, []authres.Property) {
	if len(r.DKIM) == 0 {
		return append(list, authres.Result{Method: "dkim", Value: string(None)}), props
	}
	for i := range r.DKIM {
		v, start := &r.DKIM[i], len(props)
		for _, p := range [...]authres.Property{
			{Name: "d", Value: v.Domain}, {Name: "s", Value: v.Selector}, {Name: "a", Value: v.Algorithm},
			{Name: "b", Value: v.SignaturePrefix}, // RFC 6008
		} {
			if p.Value != "" {
				p.Type = "header"
				props = append(props, p)
			}
		}
		list = append(list, authres.Result{Method: "dkim", Value: string(v.Result), Comment: signatureRemark(v), Reason: v.Reason,
			Props: props[start:len(props):len(props)]})
	}
	return list, props
}

func signatureRemark(v *dkim.Verification) string {
	remark := ""
	add := func(word string) {
		if remark != "" {
			remark += ", "
		}
		remark += word
	}
	if v.KeyBits > 0 {
		add(strconv.Itoa(v.KeyBits) + "-bit key")
	}
	if v.Testing {
		add("testing")
	}
	if v.Intact && v.Result != dkim.ResultPass {
		add("intact")
	}
	return remark
}

func (r *Results) appendARC(list []authres.Result, props []authres.Property) ([]authres.Result, []authres.Property) {
	out := authres.Result{Method: "arc", Value: string(r.ARC.Result), Reason: r.ARC.Reason}
	if n := len(r.ARC.Sets); n > 0 {
		out.Comment = "i=" + strconv.Itoa(n) + " " + r.ARC.Sets[n-1].Domain
		out.Props, props = property(props, "smtp", "remote-ip", r.Client.Unmap().String()) // RFC 8617 10.2
	}
	return append(list, out), props
}

// appendResult tells of the author that decided.
func (d *DMARC) appendResult(list []authres.Result, props []authres.Property) ([]authres.Result, []authres.Property) {
	out := authres.Result{Method: "dmarc", Value: string(d.Status)}
	if d.Status != Pass && d.Status != None {
		out.Reason = d.Reason
	}
	if a := d.decisive(); a != nil {
		out.Comment = string(a.appendPolicy(nil, d))
		out.Props, props = property(props, "header", "from", a.Domain)
	}
	return append(list, out), props
}

// decisive is the author whose outcome is that of all: the one that asks for the strictest, nil without authors.
func (d *DMARC) decisive() *Author {
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

// appendPolicy appends words like "p=reject sp=none dis=quarantine".
func (a *Author) appendPolicy(b []byte, d *DMARC) []byte {
	switch {
	case a.Found.Domain == "" && a.Status == None:
		return append(b, "no policy"...)
	case a.Found.Domain == "": // nor whether there is one
		return append(b, "policy not known"...)
	}
	record := &a.Found.Record
	b = append(append(b, "p="...), record.Policy...)
	if a.Found.Inherited {
		b = append(append(b, " of "...), a.Found.Domain...)
	}
	if record.Subdomains != "" {
		b = append(append(b, " sp="...), record.Subdomains...)
	}
	if record.Nonexistent != "" {
		b = append(append(b, " np="...), record.Nonexistent...)
	}
	if record.Testing {
		b = append(b, " t=y"...)
	}
	b = append(append(b, " dis="...), d.Effective()...)
	if why := cmp.Or(d.LocalWhy, d.Override); why != "" {
		b = append(append(b, ' '), why...)
	}
	return b
}
