package server

import (
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

func (s *scanners) current(c *configured, want scannerSettings) scanner.Scanner {
	if c.made == want {
		return c.scanner
	}
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
