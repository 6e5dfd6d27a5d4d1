package managesieve

import "time"

// Limits bound what a client may take. A zero value is replaced by the default.
type Limits struct {
	Connections        int           // concurrent, all clients together; 1,000
	ConnectionsAccount int           // concurrent, of one account; 20
	LoginTimeout       time.Duration // from the connection, or UNAUTHENTICATE, to a successful login; 60 s
	IdleTimeout        time.Duration // without a command; 30 min
	CommandTimeout     time.Duration // for one command to arrive, scripts included; 5 min
	WriteTimeout       time.Duration // for one buffer of a response to be taken; 5 min
	AuthFailures       int           // in one connection; 3
	OfferPlus          bool          // name SCRAM-SHA-256-PLUS among the mechanisms, see [sasl.Mechanisms]
	Errors             int           // commands in a row that are no ManageSieve; 10
	ScriptBytes        int64         // one script; 256 KiB
}

func (l Limits) withDefaults() Limits {
	fill(&l.Connections, 1000)
	fill(&l.ConnectionsAccount, 20)
	fill(&l.LoginTimeout, time.Minute)
	fill(&l.IdleTimeout, 30*time.Minute)
	fill(&l.CommandTimeout, 5*time.Minute)
	fill(&l.WriteTimeout, 5*time.Minute)
	fill(&l.AuthFailures, 3)
	fill(&l.Errors, 10)
	fill(&l.ScriptBytes, 256<<10)
	return l
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
