package reputation

import (
	"errors"
	"log/slog"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
)

// Options of what this package opens.
type Options struct {
	DB       *db.DB
	Settings *settings.Settings
	// Secret keys the hashes; with another one nothing is found again. It is the server's own and stays.
	Secret []byte
	Clock  clock.Clock
	Log    *slog.Logger
	// CacheRows is how many rows lie in memory; 0 means 65,536, some 8 MB.
	CacheRows int
}

// ready fills in what may be left out.
func (o Options) ready() (Options, error) {
	if o.DB == nil || o.Settings == nil || len(o.Secret) == 0 {
		return o, errors.New("reputation: needs a database, settings and a secret")
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheRows <= 0 {
		o.CacheRows = cacheRows
	}
	return o, nil
}
