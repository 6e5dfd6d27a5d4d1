package doctor

import (
	"context"
	"strings"

	"postern/dnsbl"
)

// Lists are block lists of one kind.
type Lists struct {
	// Subject is what they list: "addresses" or "domains".
	Subject string
	Zones   []string
	// Probe asks for their test entries and gives those that fail.
	Probe func(context.Context) []dnsbl.ZoneError
}

// Scanner is an external scanner that the settings name.
type Scanner struct {
	Name string
	// Try has it look at a harmless message.
	Try func(context.Context) error
}

// BlockLists: those that are asked about clients and links answer as lists do. A public resolver, a mistyped name and a
// list that is dead are found here before they matter.
func BlockLists(ctx context.Context, p Patient) []Finding {
	var list []Finding
	for _, l := range p.Lists {
		if len(l.Zones) == 0 {
			continue
		}
		bad := l.Probe(ctx)
		for _, e := range bad {
			list = append(list, warn("block list "+e.Zone, e.Fix(), "its test entries are not answered as they should be: %s", e.Problem))
		}
		if len(bad) == 0 {
			list = append(list, ok("block lists of "+l.Subject, "%s answer", strings.Join(l.Zones, ", ")))
		}
	}
	return list
}

// Scanners: those that the settings name look at mail.
func Scanners(ctx context.Context, p Patient) []Finding {
	var list []Finding
	for _, s := range p.Scanners {
		if err := s.Try(ctx); err != nil {
			list = append(list, warn("scanner "+s.Name, "see that it runs and is reachable, or change the setting; mail is accepted meanwhile", "%v", err))
			continue
		}
		list = append(list, ok("scanner "+s.Name, "answers"))
	}
	return list
}
