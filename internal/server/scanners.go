package server

import (
	"context"
	"strings"
	"sync"

	"postern/antispam/scanner"
	"postern/internal/judge"
	"postern/internal/settings"
)

// scanners are the external ones that the settings name, each behind a guard that remembers how it is. They are made anew
// when their settings change.
type scanners struct {
	server *Server

	mu          sync.Mutex
	spam, virus configured
}

// configured is a scanner and the settings that it was made of.
type configured struct {
	made    scannerSettings
	scanner scanner.Scanner
}

type scannerSettings struct {
	where, secret string
	timeout       int64
}

func newScanners(s *Server) *scanners { return &scanners{server: s} }

// now gives the scanners as the settings have them.
func (s *scanners) now() judge.Scanners {
	set := s.server.Settings
	timeout := int64(settings.SpamScanTimeout.Get(set))
	s.mu.Lock()
	defer s.mu.Unlock()
	return judge.Scanners{
		Spam:  s.current(&s.spam, scannerSettings{settings.SpamScanner.Get(set), settings.SpamScannerSecret.Get(set), timeout}),
		Virus: s.current(&s.virus, scannerSettings{settings.VirusScanner.Get(set), "", timeout}),
	}
}

// forget ends the troubles of what the settings named before.
func (s *scanners) forget(c *configured) {
	switch {
	case c.scanner != nil:
		s.server.Alerts.over("scanner/" + c.scanner.Name() + "/")
	case c.made.where != "":
		s.server.Alerts.over("scanner/setting/" + c.made.where)
	}
}

func (s *scanners) current(c *configured, want scannerSettings) scanner.Scanner {
	if c.made == want {
		return c.scanner
	}
	s.forget(c)
	*c = configured{made: want}
	if want.where == "" {
		return nil
	}
	parsed, err := scanner.Parse(want.where)
	if err != nil {
		s.server.Alerts.Raise("scanner/setting/"+want.where, "A scanner in the settings cannot be read", err.Error()+". Mend it with `postern settings set`.")
		return nil
	}
	if r, ok := parsed.(*scanner.Rspamd); ok {
		r.Password = want.secret
	}
	c.scanner = scanner.NewGuard(parsed, scanner.Options{
		Timeout: settings.SpamScanTimeout.Get(s.server.Settings), Alert: s.server.Alerts.Scanner, Recovered: s.server.Alerts.ScannerRecovered, Clock: s.server.Clock,
	})
	return c.scanner
}

// harmless is a message that no scanner has anything against.
const harmless = "From: postmaster@localhost\r\nTo: postmaster@localhost\r\nSubject: a trial\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\n" +
	"Message-ID: <trial@localhost>\r\n\r\nPostern looks whether the scanner answers.\r\n"

// Scanners gives the external scanners that the settings name, each with a trial that has it look at a message.
func (s *Server) Scanners() map[string]func(context.Context) error {
	s.scanners.now() // what the settings do not name any more has no troubles
	list := map[string]func(context.Context) error{}
	for _, where := range []string{settings.SpamScanner.Get(s.Settings), settings.VirusScanner.Get(s.Settings)} {
		if where != "" {
			list[where] = func(ctx context.Context) error { return s.tryScanner(ctx, where) }
		}
	}
	return list
}

func (s *Server) tryScanner(ctx context.Context, where string) error {
	parsed, err := scanner.Parse(where)
	if err != nil {
		return err
	}
	if r, ok := parsed.(*scanner.Rspamd); ok {
		r.Password = settings.SpamScannerSecret.Get(s.Settings)
	}
	_, err = parsed.Scan(ctx, scanner.Message{Content: strings.NewReader(harmless), Size: int64(len(harmless)), ID: "trial",
		From: "postmaster@localhost", Recipients: []string{"postmaster@localhost"}})
	return err
}
