package server

import (
	"net/netip"

	"postern/dnsbl"
	"postern/imap"
	"postern/internal/settings"
	"postern/smtp"
	"postern/smtp/queue"
)

// smtpLimits are the SMTP engine's limits as the settings have them now.
func (s *Server) smtpLimits() smtp.Limits {
	return smtp.Limits{
		MaxMessageSize:  settings.SMTPMaxMessageSize.Get(s.Settings),
		MaxRecipients:   int(settings.SMTPMaxRecipients.Get(s.Settings)),
		MaxErrors:       int(settings.SMTPMaxErrors.Get(s.Settings)),
		MaxCommands:     int(settings.SMTPMaxCommands.Get(s.Settings)),
		MaxMessages:     int(settings.SMTPMaxMessagesPerConnection.Get(s.Settings)),
		OfferPlus:       settings.AuthOfferPlus.Get(s.Settings),
		MaxAuthFailures: int(settings.AuthMaxFailuresPerConnection.Get(s.Settings)),
		MaxConnections:  int(settings.SMTPMaxConnections.Get(s.Settings)),
		IdleTimeout:     settings.SMTPIdleTimeout.Get(s.Settings),
		SessionTimeout:  settings.SMTPSessionTimeout.Get(s.Settings),
		LoginTimeout:    settings.SMTPLoginTimeout.Get(s.Settings),
		DataTimeout:     settings.SMTPDataTimeout.Get(s.Settings),
		GreetDelay:      settings.SMTPGreetDelay.Get(s.Settings),
	}
}

func (s *Server) queueLimits() queue.Limits {
	return queue.Limits{
		MaxAge:      settings.QueueMaxAge.Get(s.Settings),
		DelayNotice: settings.QueueDelayNotice.Get(s.Settings),
		RetryMin:    settings.QueueRetryInitial.Get(s.Settings),
		RetryMax:    settings.QueueRetryMax.Get(s.Settings),
		Concurrency: int(settings.QueueConcurrency.Get(s.Settings)),
		PerDomain:   int(settings.QueuePerDomain.Get(s.Settings)),
	}
}

func (s *Server) blockLists() dnsbl.Config {
	c := dnsbl.Config{
		Disabled: s.offline || !settings.DNSBLEnabled.Get(s.Settings),
		Timeout:  settings.DNSBLTimeout.Get(s.Settings),
		DQSKey:   settings.DNSBLDQSKey.Get(s.Settings),
	}
	for _, text := range settings.DNSBLZones.Get(s.Settings) {
		zone, err := dnsbl.ParseZone(text)
		if err != nil {
			s.Alerts.Raise("dnsbl/setting/"+text, "A block list in the settings cannot be read", err.Error()+". Mend it with `postern settings set dnsbl.zones`.")
			continue
		}
		c.Zones = append(c.Zones, zone)
	}
	for _, network := range settings.DNSBLAllow.Get(s.Settings) {
		if p, err := netip.ParsePrefix(network); err == nil {
			c.Allow = append(c.Allow, p)
		} else if a, err := netip.ParseAddr(network); err == nil {
			c.Allow = append(c.Allow, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return c
}

// imapLimits are the IMAP engine's limits as the settings have them now.
func (s *Server) imapLimits() imap.Limits {
	return imap.Limits{
		Connections:        int(settings.IMAPMaxConnections.Get(s.Settings)),
		ConnectionsAccount: int(settings.IMAPMaxConnectionsPerAccount.Get(s.Settings)),
		LoginTimeout:       settings.IMAPLoginTimeout.Get(s.Settings),
		IdleTimeout:        settings.IMAPIdleTimeout.Get(s.Settings),
		OfferPlus:          settings.AuthOfferPlus.Get(s.Settings),
		AuthFailures:       int(settings.AuthMaxFailuresPerConnection.Get(s.Settings)),
		Errors:             int(settings.IMAPMaxErrors.Get(s.Settings)),
		MessageBytes:       settings.IMAPMaxAppendSize.Get(s.Settings),
		CommandBytes:       int(settings.IMAPMaxCommandSize.Get(s.Settings)),
		LiteralBytes:       int(settings.IMAPMaxLiteral.Get(s.Settings)),
	}
}
