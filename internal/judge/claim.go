package judge

import (
	"fmt"

	"postern/internal/verdict"
)

// claim tells whether a message that claims to be from domains of ours proves it (MAIL-3): our own users log in.
func (i *inquiry) claim() verdict.Check {
	c := verdict.Check{Name: verdict.CheckClaim, Result: "proven"}
	for _, domain := range i.a.Claimed {
		switch {
		case i.proves(domain):
			continue
		case i.results.Unsure():
			c.Result, c.Detail = "unsure", fmt.Sprintf("%s is ours, and whether the message is from there cannot be checked now", domain)
		default:
			c.Result, c.Detail = "not proven", fmt.Sprintf("%s is ours, and neither SPF nor DKIM vouches for the message", domain)
		}
		i.claimed = domain
		return c
	}
	return c
}
