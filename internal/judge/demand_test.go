package judge

import (
	"testing"

	"postern/internal/mailauth"
	"postern/internal/mailauth/dmarc"
)

func TestTheStrictestAuthorDecidesAfterTheOverrides(t *testing.T) {
	failing := func(domain string, asks dmarc.Policy) mailauth.Author {
		return mailauth.Author{Domain: domain, Status: mailauth.Fail, Asked: asks, Disposition: asks}
	}
	passing := mailauth.Author{Domain: "good.example", Status: mailauth.Pass, Asked: dmarc.Reject, Disposition: dmarc.None}
	sealed := failing("sealed.example", dmarc.Reject)
	sealed.Override = "list.example"
	unsure := failing("unsure.example", dmarc.Reject)
	unsure.Status, unsure.Unsure = mailauth.TempError, true
	flood := mailauth.Author{Domain: "flood.example", Status: mailauth.PermError, Disposition: dmarc.Reject}
	for name, c := range map[string]struct {
		authors   []mailauth.Author
		overrides map[string]string
		want      demand
	}{
		"no author":                       {nil, nil, demand{}},
		"one that passes":                 {[]mailauth.Author{passing}, map[string]string{"good.example": "reject"}, demand{}},
		"one that asks for nothing":       {[]mailauth.Author{failing("a.example", dmarc.None)}, nil, demand{}},
		"one that refuses":                {[]mailauth.Author{failing("a.example", dmarc.Reject)}, nil, demand{"reject", "", "a.example", false}},
		"overridden":                      {[]mailauth.Author{failing("a.example", dmarc.Reject)}, map[string]string{"a.example": "none"}, demand{"none", "override for a.example", "a.example", false}},
		"overridden to be milder":         {[]mailauth.Author{failing("a.example", dmarc.Reject)}, map[string]string{"a.example": "quarantine"}, demand{"quarantine", "override for a.example", "a.example", false}},
		"overridden to be stricter":       {[]mailauth.Author{failing("a.example", dmarc.None)}, map[string]string{"a.example": "reject"}, demand{"reject", "override for a.example", "a.example", false}},
		"a trusted seal":                  {[]mailauth.Author{sealed}, map[string]string{"sealed.example": "reject"}, demand{"none", "trusted ARC seal of list.example", "sealed.example", false}},
		"the second one is stricter":      {[]mailauth.Author{failing("a.example", dmarc.Quarantine), failing("b.example", dmarc.Reject)}, nil, demand{"reject", "", "b.example", false}},
		"the first one is stricter":       {[]mailauth.Author{failing("a.example", dmarc.Reject), failing("b.example", dmarc.Quarantine)}, nil, demand{"reject", "", "a.example", false}},
		"the first passes":                {[]mailauth.Author{passing, failing("b.example", dmarc.Reject)}, nil, demand{"reject", "", "b.example", false}},
		"only the first is overridden":    {[]mailauth.Author{failing("a.example", dmarc.Reject), failing("b.example", dmarc.Reject)}, map[string]string{"a.example": "none"}, demand{"reject", "", "b.example", false}},
		"only the second is overridden":   {[]mailauth.Author{failing("a.example", dmarc.Reject), failing("b.example", dmarc.Reject)}, map[string]string{"b.example": "none"}, demand{"reject", "", "a.example", false}},
		"one sealed and one overridden":   {[]mailauth.Author{sealed, failing("b.example", dmarc.Reject)}, map[string]string{"b.example": "none"}, demand{"none", "trusted ARC seal of list.example", "sealed.example", false}},
		"one sealed and one not":          {[]mailauth.Author{sealed, failing("b.example", dmarc.Quarantine)}, nil, demand{"quarantine", "", "b.example", false}},
		"it cannot be checked":            {[]mailauth.Author{unsure}, nil, demand{"reject", "", "unsure.example", true}},
		"in doubt beside one that is not": {[]mailauth.Author{unsure, failing("b.example", dmarc.Quarantine)}, nil, demand{"reject", "", "unsure.example", false}},
		"in doubt, and overridden":        {[]mailauth.Author{unsure}, map[string]string{"unsure.example": "none"}, demand{"none", "override for unsure.example", "unsure.example", false}},
		"made to exhaust the budget":      {[]mailauth.Author{flood}, nil, demand{"reject", "", "flood.example", false}},
	} {
		b := newBench(t, letter)
		b.overrides = c.overrides
		if got := demandOf(mailauth.DMARC{Authors: c.authors}, b); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
	many := mailauth.DMARC{TooMany: true, Disposition: dmarc.Reject, Authors: []mailauth.Author{failing("a.example", dmarc.Reject)}}
	b := newBench(t, letter)
	b.overrides = map[string]string{"a.example": "none"}
	if got := demandOf(many, b); got != (demand{policy: "reject"}) {
		t.Errorf("more authors than are asked about: %+v", got)
	}
}
