package judge

import (
	"strconv"
	"strings"

	"postern/dnsbl"
	"postern/internal/mailauth"
	"postern/internal/verdict"
)

// authPoints are what the results of authentication are worth. A message that proves its sender is not wanted for that
// reason, and one that proves nothing may come from a small server; only contradictions weigh.
var authPoints = map[string]map[string]float64{
	verdict.CheckSPF:   {"fail": 1.2, "softfail": 0.7, "permerror": 0.3, "none": 0.2, "neutral": 0.2},
	verdict.CheckDKIM:  {"pass": -0.1, "fail": 0.3, "permerror": 0.2, "policy": 0.2, "none": 0.2},
	verdict.CheckDMARC: {"pass": -0.4, "fail": 1.5, "permerror": 0.5},
}

// appendAuth appends the results of authentication with their points.
func (i *inquiry) appendAuth(list []verdict.Check) []verdict.Check {
	from := len(list)
	list = i.results.AppendChecks(list)
	for n := range list[from:] {
		c := &list[from+n]
		if c.Name == verdict.CheckDMARC && c.Result == string(mailauth.Fail) && i.findings.FromList() {
			// Lists change what passes through them; that their members' domains ask for nothing shows that they know.
			c.Points = verdict.P(0.3)
			continue
		}
		c.Points = verdict.P(authPoints[c.Name][c.Result])
	}
	return list
}

// dnsblCheck tells what the block lists said about the client. A weight of 1 would have refused it.
func dnsblCheck(v dnsbl.Verdict) verdict.Check {
	c := verdict.Check{Name: verdict.CheckDNSBL, Result: "clean"}
	switch {
	case v.Allowed:
		c.Result = "not asked"
	case len(v.Listings) > 0:
		c.Result, c.Points = "listed", verdict.P(4*min(v.Score, 1))
	case len(v.Errors) > 0:
		c.Result = "unavailable"
	}
	for _, l := range v.Listings {
		c.Parts = append(c.Parts, verdict.Part{Name: l.Zone, Detail: strings.TrimSpace(l.Code + " " + l.Meaning)})
	}
	for _, e := range v.Errors {
		c.Parts = append(c.Parts, verdict.Part{Name: e.Zone, Detail: string(e.Problem)})
	}
	return c
}

// listedDomain is what a link to a domain of a list's full weight is worth.
const listedDomain = 3.5

// uriblCheck tells what lists of domains said about what the message links to.
func uriblCheck(v dnsbl.DomainVerdict) verdict.Check {
	c := verdict.Check{Name: verdict.CheckURIBL, Result: "clean", Detail: strconv.Itoa(v.Asked) + " domains"}
	switch {
	case v.Asked == 0:
		c.Result, c.Detail = "not asked", ""
	case len(v.Listings) > 0:
		c.Result, c.Points = "listed", verdict.P(listedDomain*min(v.Score, 2))
	case len(v.Errors) > 0:
		c.Result = "unavailable"
	}
	for _, l := range v.Listings {
		c.Parts = append(c.Parts, verdict.Part{Name: l.Domain, Detail: strings.TrimSpace(l.Zone + " " + l.Code + " " + l.Meaning), Points: verdict.P(listedDomain * l.Weight)})
	}
	for _, e := range v.Errors {
		c.Parts = append(c.Parts, verdict.Part{Name: e.Zone, Detail: string(e.Problem)})
	}
	return c
}
