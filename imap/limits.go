package imap

import "time"

// Limits bound what a client may take. A zero value is replaced by the default.
type Limits struct {
	Connections        int           // concurrent, all clients together; 10,000
	ConnectionsAccount int           // concurrent, of one account; 100
	LoginTimeout       time.Duration // from the connection to a successful login; 60 s
	IdleTimeout        time.Duration // without a command, and in IDLE; 30 min, RFC 9051 5.4
	CommandTimeout     time.Duration // between two packets of one command; 5 min
	WriteTimeout       time.Duration // for one buffer of a response to be taken; 5 min
	AuthFailures       int           // in one connection; 3
	OfferPlus          bool          // name SCRAM-SHA-256-PLUS among the mechanisms, see [sasl.Mechanisms]
	Errors             int           // commands in a row that are no IMAP; 10
	MessageBytes       int64         // one message of APPEND; 50 MiB
	CommandBytes       int           // one command after login, messages apart; 1 MiB
	LiteralBytes       int           // one literal after login, messages apart; 256 KiB
	AppendMessages     int           // in one APPEND; 1,000
	AppendBytes        int64         // in one APPEND, all messages together; 4 times MessageBytes
}

func (l Limits) withDefaults() Limits {
	fill(&l.Connections, 10_000)
	fill(&l.ConnectionsAccount, 100)
	fill(&l.LoginTimeout, time.Minute)
	fill(&l.IdleTimeout, 30*time.Minute)
	fill(&l.CommandTimeout, 5*time.Minute)
	fill(&l.WriteTimeout, 5*time.Minute)
	fill(&l.AuthFailures, 3)
	fill(&l.Errors, 10)
	fill(&l.MessageBytes, 50<<20)
	fill(&l.CommandBytes, 1<<20)
	fill(&l.LiteralBytes, 256<<10)
	fill(&l.AppendMessages, 1000)
	fill(&l.AppendBytes, 4*l.MessageBytes)
	return l
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
