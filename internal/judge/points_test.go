package judge

import (
	"testing"

	"postern/dkim"
	"postern/dnsbl"
	"postern/internal/mailauth"
	"postern/internal/verdict"
)

// listing is what the block lists say of a client whose listings weigh so much together.
func listing(weight float64) dnsbl.Verdict {
	return dnsbl.Verdict{Score: weight, Listings: []dnsbl.Listing{{Zone: "bl.example", Code: "127.0.0.2", Meaning: "bad", Weight: weight}}}
}

func TestWhatResultsOfAuthenticationAreWorth(t *testing.T) {
	const listed = "List-Id: <list.example>\r\n" + letter
	for name, c := range map[string]struct {
		text    string
		results mailauth.Results
		check   string
		points  string
	}{
		"SPF passes":                 {letter, mailauth.Results{SPF: mailauth.SPF{Status: mailauth.Pass}}, verdict.CheckSPF, "0.00"},
		"SPF fails":                  {letter, mailauth.Results{SPF: mailauth.SPF{Status: mailauth.Fail}}, verdict.CheckSPF, "1.20"},
		"SPF cannot be checked":      {letter, mailauth.Results{SPF: mailauth.SPF{Status: mailauth.TempError}}, verdict.CheckSPF, "0.00"},
		"a signature passes":         {letter, mailauth.Results{DKIM: []dkim.Verification{{Result: dkim.ResultPass}}}, verdict.CheckDKIM, "-0.10"},
		"one of two passes":          {letter, mailauth.Results{DKIM: []dkim.Verification{{Result: dkim.ResultFail}, {Result: dkim.ResultPass}}}, verdict.CheckDKIM, "-0.10"},
		"a signature fails":          {letter, mailauth.Results{DKIM: []dkim.Verification{{Result: dkim.ResultFail}}}, verdict.CheckDKIM, "0.30"},
		"a key that cannot be had":   {letter, mailauth.Results{DKIM: []dkim.Verification{{Result: dkim.ResultTempError}}}, verdict.CheckDKIM, "0.00"},
		"DMARC fails":                {letter, mailauth.Results{DMARC: mailauth.DMARC{Status: mailauth.Fail}}, verdict.CheckDMARC, "1.50"},
		"DMARC fails through a list": {listed, mailauth.Results{DMARC: mailauth.DMARC{Status: mailauth.Fail}}, verdict.CheckDMARC, "0.30"},
		"DMARC cannot be checked":    {letter, mailauth.Results{DMARC: mailauth.DMARC{Status: mailauth.TempError}}, verdict.CheckDMARC, "0.00"},
	} {
		b := newBench(t, c.text)
		b.results = c.results
		if got := find(b.judge(t), c.check); got.Points.String() != c.points {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatListsOfClientsAreWorth(t *testing.T) {
	for name, c := range map[string]struct {
		listed         dnsbl.Verdict
		result, points string
		part           string
	}{
		"not listed":             {dnsbl.Verdict{}, "clean", "0.00", ""},
		"on our allow-list":      {dnsbl.Verdict{Allowed: true}, "not asked", "0.00", ""},
		"half a listing":         {listing(0.5), "listed", "2.00", "127.0.0.2 bad"},
		"no more than a listing": {listing(3), "listed", "4.00", "127.0.0.2 bad"},
		"a list that refuses us": {dnsbl.Verdict{Errors: []dnsbl.ZoneError{{Zone: "bl.example", Problem: dnsbl.PublicResolver}}}, "unavailable", "0.00", "public resolver"},
		"one lists, one refuses": {dnsbl.Verdict{Score: 0.5, Listings: listing(0.5).Listings, Errors: []dnsbl.ZoneError{{Zone: "x.example", Problem: dnsbl.NoAnswer}}}, "listed", "2.00", "127.0.0.2 bad"},
	} {
		got := dnsblCheck(c.listed)
		if got.Result != c.result || got.Points.String() != c.points || (len(got.Parts) > 0) != (c.part != "") || c.part != "" && got.Parts[0].Detail != c.part {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatListsOfDomainsAreWorth(t *testing.T) {
	listed := func(weight float64) dnsbl.DomainVerdict {
		return dnsbl.DomainVerdict{Asked: 3, Score: weight, Listings: []dnsbl.DomainListing{{Domain: "bad.example", Listing: dnsbl.Listing{Zone: "dbl.example", Code: "127.0.1.2", Meaning: "spam", Weight: weight}}}}
	}
	for name, c := range map[string]struct {
		domains        dnsbl.DomainVerdict
		result, points string
	}{
		"no list":           {dnsbl.DomainVerdict{}, "not asked", "0.00"},
		"clean":             {dnsbl.DomainVerdict{Asked: 3}, "clean", "0.00"},
		"listed":            {listed(1), "listed", "3.50"},
		"half a listing":    {listed(0.5), "listed", "1.75"},
		"no more than two":  {listed(9), "listed", "7.00"},
		"a list in trouble": {dnsbl.DomainVerdict{Asked: 3, Errors: []dnsbl.ZoneError{{Zone: "dbl.example", Problem: dnsbl.TooMany}}}, "unavailable", "0.00"},
	} {
		if got := uriblCheck(c.domains); got.Result != c.result || got.Points.String() != c.points {
			t.Errorf("%s: %+v", name, got)
		}
	}
	b := newBench(t, letter+"See https://www.bad.example/x and https://good.example/.\r\n")
	b.domains = listed(1)
	if c := find(b.judge(t), verdict.CheckURIBL); c.Result != "listed" || len(b.asked) != 3 || c.Parts[0] != (verdict.Part{Name: "bad.example", Detail: "dbl.example 127.0.1.2 spam", Points: 350}) {
		t.Errorf("asked about %v: %+v", b.asked, c)
	}
}
