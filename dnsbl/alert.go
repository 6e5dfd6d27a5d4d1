package dnsbl

import (
	"fmt"
)

// report tells the administrator of a problem, unless that was done lately.
func (c *Checker) report(e ZoneError) ZoneError {
	e.setting = c.o.Setting
	key := e.Zone + " " + string(e.Problem)
	now := c.o.Clock.Now()
	c.mu.Lock()
	last, told := c.told[key]
	if told = told && now.Sub(last) < alertAgain; !told {
		c.told[key] = now
	}
	c.mu.Unlock()
	if !told {
		a := Alert{Zone: e.Zone, Problem: e.Problem, Text: fix(e)}
		c.o.Log.Warn("dnsbl problem", "zone", e.Zone, "problem", string(e.Problem), "code", e.Code, "cause", e.Cause)
		c.o.Alert(a)
	}
	return e
}

// fix says what happened and what to do about it.
func fix(e ZoneError) string {
	const accepted = " Mail is accepted without this list meanwhile."
	switch e.Problem {
	case Typo:
		return fmt.Sprintf("The block list %s answered %s: its name is mistyped. Correct it in the setting %s.", e.Zone, e.Code, e.setting) + accepted
	case PublicResolver:
		return fmt.Sprintf("The block list %s answered %s: it does not serve questions that come through a public or open resolver. "+
			"Run a resolver of your own (unbound) and name it under [dns] servers, or get a free DQS key and set dnsbl.dqs_key.", e.Zone, e.Code) + accepted
	case TooMany:
		return fmt.Sprintf("The block list %s answered %s: too many questions came from here. Get a DQS key (dnsbl.dqs_key) or remove the list from %s.", e.Zone, e.Code, e.setting) + accepted
	case Refused:
		return fmt.Sprintf("The block list %s refuses our questions with %s. See its documentation, or remove it from %s.", e.Zone, e.Code, e.setting) + accepted
	case NotAList:
		return fmt.Sprintf("The block list %s lists with 127.0.0.1, which no living list does (RFC 5782 5): it may be dead or taken over. Remove it from %s.", e.Zone, e.setting) + accepted
	case MadeUp:
		return fmt.Sprintf("The answer for the block list %s was %s, outside 127.0.0.0/8: the resolver makes up answers for names that do not exist. "+
			"Name another resolver under [dns] servers.", e.Zone, e.Code) + accepted
	default:
		return fmt.Sprintf("The block list %s gives no answer (%v). Check that the resolver under [dns] servers works and may ask it.", e.Zone, e.Cause) + accepted
	}
}
