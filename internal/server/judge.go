package server

import (
	"context"
	"fmt"
	"time"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/antispam/reputation"
	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/judge"
	"postern/internal/mailauth"
	"postern/internal/settings"
	"postern/internal/verdict/archive"
)

// authTimeout bounds what one message's senders may have us wait for their DNS.
const authTimeout = 20 * time.Second

// openJudge opens what judges mail on its way in.
func (s *Server) openJudge(ctx context.Context) error {
	if err := s.openSenders(ctx); err != nil {
		return fmt.Errorf("opening what is known about senders: %w", err)
	}
	s.scanners = newScanners(s)
	s.flow.Judge = &judge.Judge{
		Hostname:       s.Config.Hostname,
		Auth:           &mailauth.Checker{Resolver: s.Resolver, Timeout: authTimeout, Clock: s.Clock, Receiver: s.Config.Hostname},
		Engine:         antispam.New(),
		Domains:        dnsbl.New(dnsbl.Options{Resolver: s.Resolver, Config: s.domainLists, Alert: s.Alerts.BlockList, Clock: s.Clock, Log: s.Log}),
		Policies:       policies{s.Policies},
		Models:         s.models(),
		Senders:        s.senders,
		Correspondents: s.correspondents,
		Greylist:       s.greylist,
		Scanners:       s.scanners.now,
		TrustedSealers: func() []string { return settings.ARCTrustedSealers.Get(s.Settings) },
		Names:          !s.offline,
		Clock:          s.Clock,
		Log:            s.Log,
	}
	s.flow.Traces, s.flow.Correspondents, s.flow.Watch = s.Archive, s.correspondents, s.Outbound
	return nil
}

func (s *Server) openSenders(ctx context.Context) error {
	secret, err := s.Directory.Secret(ctx, "reputation")
	if err != nil {
		return err
	}
	o := reputation.Options{DB: s.DB, Settings: s.Settings, Secret: secret, Clock: s.Clock, Log: s.Log}
	if s.senders, err = reputation.OpenSenders(ctx, o); err != nil {
		return err
	}
	s.closeLater(s.senders.Close)
	if s.greylist, err = reputation.OpenGreylist(ctx, o); err != nil {
		return err
	}
	s.closeLater(s.greylist.Close)
	s.correspondents, err = reputation.OpenCorrespondents(o)
	return err
}

// policies is [judge.Policies].
type policies struct{ *archive.Policies }

func (p policies) Sender(account int64, to, sender address.Address) (kind, scope, pattern string) {
	k, scope, pattern := p.Policies.Sender(account, to, sender)
	return string(k), scope, pattern
}

// untaught is the model of everybody as long as nobody can teach.
type untaught struct{}

func (untaught) Of(context.Context, int64) (bayes.Model, error) { return nil, nil }
func (s *Server) models() judge.Models                          { return untaught{} }

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
