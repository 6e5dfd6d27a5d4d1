package server

import (
	"time"

	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/judge"
	"postern/internal/mailauth"
	"postern/internal/settings"
	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// authTimeout bounds what one message's senders may have us wait for their DNS.
const authTimeout = 20 * time.Second

// openJudge opens what judges mail on its way in.
func (s *Server) openJudge() {
	s.scanners = newScanners(s)
	s.DomainLists = dnsbl.New(dnsbl.Options{Resolver: s.Resolver, Config: s.domainLists, Setting: "uribl.zones", Alert: s.Alerts.BlockList, Clock: s.Clock, Log: s.Log})
	s.flow.Judge = &judge.Judge{
		Hostname:       s.Config.Hostname,
		Auth:           &mailauth.Checker{Resolver: s.Resolver, Timeout: authTimeout, Clock: s.Clock, Receiver: s.Config.Hostname},
		Engine:         s.engine,
		Domains:        s.DomainLists,
		Policies:       policies{s.Policies, s.Settings},
		Models:         s.Models,
		Senders:        s.Senders,
		Correspondents: s.Correspondents,
		Greylist:       s.Greylist,
		Scanners:       s.scanners.now,
		TrustedSealers: func() []string { return settings.ARCTrustedSealers.Get(s.Settings) },
		Names:          !s.offline,
		Clock:          s.Clock,
		Log:            s.Log,
	}
	s.flow.Traces, s.flow.Correspondents, s.flow.Watch = s.Archive, s.Correspondents, s.Outbound
}

// policies is [judge.Policies].
type policies struct {
	*archive.Policies
	settings *settings.Settings
}

// For is the policy in force. While nobody is greylisted it says so, whatever the thresholds are.
func (p policies) For(account int64, to address.Address) verdict.Policy {
	policy := p.Policies.For(account, to)
	if !settings.GreylistEnabled.Get(p.settings) {
		policy.Greylist = 0
	}
	return policy
}

func (p policies) Sender(account int64, to, sender address.Address) (kind, scope, pattern string) {
	k, scope, pattern := p.Policies.Sender(account, to, sender)
	return string(k), scope, pattern
}

// domainLists are the lists of domains as the settings have them now.
func (s *Server) domainLists() dnsbl.Config {
	c := s.blockLists()
	c.Timeout = settings.URIBLTimeout.Get(s.Settings)
	c.Disabled, c.Zones = s.offline, nil
	for _, text := range settings.URIBLZones.Get(s.Settings) {
		zone, err := dnsbl.ParseZone(text)
		if err != nil {
			s.Alerts.Raise("uribl/setting/"+text, "A list of domains in the settings cannot be read", err.Error()+". Mend it with `postern settings set uribl.zones`.")
			continue
		}
		c.Zones = append(c.Zones, zone)
	}
	return c
}
