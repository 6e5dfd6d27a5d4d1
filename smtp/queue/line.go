package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"postern/internal/reply"
	"postern/internal/resolver"
	"postern/smtp/client"
)

// remoteLine is a Line over SMTP: at most one connection, kept between jobs.
type remoteLine struct {
	r           *Remote
	destination string

	c      *client.Client
	hop    hop
	at     string // the host and address of the connection
	opened time.Time
}

// Close ends the connection.
func (l *remoteLine) Close() {
	if l.c != nil {
		l.c.Quit()
		l.c = nil
	}
}

// Deliver tries the destination's hosts in order until one has answered for the message.
func (l *remoteLine) Deliver(ctx context.Context, job *Job) []Outcome {
	inner, cancel := context.WithTimeout(ctx, l.r.o.JobTimeout)
	defer cancel()
	outcomes := l.deliver(inner, job)
	if ctx.Err() != nil {
		// We were asked to stop: what failed of it says nothing about the destination.
		for i := range outcomes {
			if outcomes[i].Err != nil && !outcomes[i].Remote {
				outcomes[i] = Outcome{Untried: true}
			}
		}
	}
	return outcomes
}

func (l *remoteLine) deliver(ctx context.Context, job *Job) []Outcome {
	if l.warm(job) {
		if outcomes, known := l.send(ctx, job); known && !elsewhere(outcomes) {
			return outcomes
		}
	}
	l.Close()
	hops, problem := l.r.way(ctx, l.destination)
	if problem != nil {
		return same(job, Outcome{Err: problem, Unreachable: problem.Temporary()})
	}
	t := tries{destination: l.destination}
	for _, h := range hops {
		for _, ip := range h.addrs {
			if ctx.Err() != nil {
				return same(job, Outcome{Err: reply.Wrap(ctx.Err(), 451, "4.4.2", "There was no time left to deliver")})
			}
			if e := l.connect(ctx, h, ip, job); e != nil {
				t.failed(hostAt(h, ip), e)
				l.r.o.Log.Debug("mail exchanger not usable", "host", h.host, "address", ip.String(), "error", e.Error())
				continue
			}
			t.reached = true
			outcomes, known := l.send(ctx, job)
			if known && !elsewhere(outcomes) {
				return outcomes
			}
			t.outcome(outcomes[0])
			l.Close()
		}
	}
	return same(job, t.verdict())
}

// warm tells whether the connection is fit for another message.
func (l *remoteLine) warm(job *Job) bool {
	return l.c != nil && l.c.Usable() && l.c.Sent() < perConnection && l.r.o.Clock.Now().Sub(l.opened) < warmFor && !job.RequireTLS
}

// tries gathers why none of the hosts took a message.
type tries struct {
	destination string
	reached     bool // some host spoke SMTP with us
	last        Outcome
	hard        bool // every failure so far was for good
	any         bool
}

func (t *tries) failed(at string, e *refusal) {
	t.outcome(Outcome{Err: e.err, Remote: e.remote, Host: at, Reply: e.words})
}

// outcome keeps a failure; a temporary one outweighs those for good, since that host may take the message later.
func (t *tries) outcome(o Outcome) {
	hard := o.Err != nil && !o.Err.Temporary()
	if !t.any || !hard || t.hard {
		t.last = o
	}
	t.hard = hard && (t.hard || !t.any)
	t.any = true
}

func (t *tries) verdict() Outcome {
	if !t.any {
		return Outcome{Err: reply.New(451, "4.4.1", "No host of %s could be tried", t.destination)}
	}
	t.last.Unreachable = !t.reached && !t.hard
	return t.last
}

// elsewhere tells outcomes that the destination's next host may better: the server went away, or would have nothing from
// us for now.
func elsewhere(outcomes []Outcome) bool {
	for _, o := range outcomes {
		if o.Err == nil || !o.Err.Temporary() || (o.Err.Code != 421 && !o.elsewhere) {
			return false
		}
	}
	return true
}

// refusal is why a host could not be used.
type refusal struct {
	err    *reply.Error
	remote bool
	words  string
}

func (e *refusal) Error() string { return e.err.Error() }

// connect opens the connection to one address of a host and secures it as far as wanted.
func (l *remoteLine) connect(ctx context.Context, h hop, ip netip.Addr, job *Job) *refusal {
	policy, e := l.policy(ctx, h, job.RequireTLS)
	if e != nil {
		l.observe(h, ip, job, policy, nil, e.err.Cause)
		return e
	}
	c, err := l.dial(ctx, h, ip, policy)
	if err != nil {
		return refused(h, err)
	}
	if c.TLS() == nil && !(policy.Mode == Opportunistic && l.r.skipsTLS(h.host)) {
		err := c.StartTLS(ctx, tlsConfig(policy, h.host))
		l.observe(h, ip, job, policy, c, err)
		if err != nil && policy.Mode != Opportunistic {
			c.Close()
			return tlsRefused(h, err, job.RequireTLS)
		}
		if err != nil {
			if c, err = l.inClear(ctx, h, ip, policy, c, err); err != nil {
				return refused(h, err)
			}
		}
	}
	if h.user != "" {
		if err := c.Auth(ctx, h.user, h.pass); err != nil {
			c.Quit()
			// The relay's password is ours to put right.
			return &refusal{err: reply.Wrap(err, 451, "4.7.8", "The relay %s refuses our login", h.host)}
		}
	}
	l.c, l.hop, l.at, l.opened = c, h, hostAt(h, ip), l.r.o.Clock.Now()
	return nil
}

// observe tells of a session's TLS. Relays are not told of, nor what was cut off by us, nor our own wish for more.
func (l *remoteLine) observe(h hop, ip netip.Addr, job *Job, policy TLSPolicy, c *client.Client, err error) {
	if l.r.o.OnSession == nil || !h.mx || job.RequireTLS || errors.Is(err, context.Canceled) || c == nil && err == nil {
		return
	}
	s := Session{Destination: l.destination, Host: h.host, Remote: ip, From: job.From, Policy: policy, Err: err}
	if c != nil {
		if at, ok := c.LocalAddr().(*net.TCPAddr); ok {
			s.Local = at.AddrPort().Addr().Unmap()
		}
		if state := c.TLS(); state != nil {
			s.Version = state.Version
		}
	}
	l.r.o.OnSession(s)
}

// inClear goes on without TLS: over the same connection where it was not offered or declined, over a new one where the
// attempt spoilt it. That is remembered.
func (l *remoteLine) inClear(ctx context.Context, h hop, ip netip.Addr, policy TLSPolicy, c *client.Client, cause error) (*client.Client, error) {
	if errors.Is(cause, client.ErrNoTLS) || (c.Usable() && c.TLS() == nil && isReply(cause)) {
		return c, nil
	}
	c.Close()
	if ctx.Err() != nil {
		return nil, cause
	}
	l.r.o.Log.Warn("STARTTLS failed, sending in clear", "destination", l.destination, "host", h.host, "error", cause)
	l.r.brokenTLS(h.host)
	return l.dial(ctx, h, ip, policy)
}

func isReply(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Err == nil
}

func (l *remoteLine) dial(ctx context.Context, h hop, ip netip.Addr, policy TLSPolicy) (*client.Client, error) {
	timed, cancel := context.WithTimeout(ctx, l.r.o.DialTimeout)
	defer cancel()
	conn, err := l.r.o.Dial(timed, "tcp", net.JoinHostPort(ip.String(), strconv.Itoa(h.port)))
	if err != nil {
		return nil, err
	}
	o := client.Options{Hostname: l.r.o.Hostname, Timeouts: l.r.o.Timeouts}
	if !h.implicit {
		return client.New(ctx, conn, o)
	}
	secured := tls.Client(conn, tlsConfig(policy, h.host))
	if err := secured.HandshakeContext(timed); err != nil {
		conn.Close()
		return nil, err
	}
	return client.NewTLS(ctx, secured, o)
}

// policy is what this host must do about TLS.
func (l *remoteLine) policy(ctx context.Context, h hop, requireTLS bool) (TLSPolicy, *refusal) {
	policy := h.policy
	if h.mx && l.r.o.Policy != nil {
		p, err := l.r.o.Policy(ctx, l.destination, h.host)
		if err != nil {
			return p, &refusal{err: reply.Wrap(err, 451, "4.7.5", "The policy of %s keeps mail from %s", l.destination, h.host)}
		}
		p.Vouched = p.Vouched || h.policy.Vouched
		policy = p
	}
	if requireTLS {
		if h.mx && !policy.Vouched {
			return policy, noRequireTLS("it is not known for sure that " + h.host + " serves " + l.destination)
		}
		policy.Mode = Verified
	}
	if policy.Config == nil && l.r.o.Roots != nil {
		policy.Config = &tls.Config{RootCAs: l.r.o.Roots}
	}
	return policy, nil
}

func tlsConfig(p TLSPolicy, host string) *tls.Config {
	config := &tls.Config{}
	if p.Config != nil {
		config = p.Config.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if p.Mode != Verified {
		config.InsecureSkipVerify = true
	}
	return config
}

func noRequireTLS(why string) *refusal {
	return &refusal{err: reply.New(550, "5.7.30", "The message asks for TLS on all of its way (REQUIRETLS), and %s", why)}
}

// refused turns a failure to connect or to be greeted into its reply.
func refused(h hop, err error) *refusal {
	var e *client.Error
	if errors.As(err, &e) && e.Err == nil {
		return &refusal{err: reply.Wrap(err, e.Reply.Code, e.Reply.EnhancedString(), "%s", e.Reply.Text()), remote: true, words: e.Reply.String()}
	}
	return &refusal{err: reply.Wrap(err, 451, "4.4.1", "The server %s could not be reached", h.host)}
}

func tlsRefused(h hop, err error, requireTLS bool) *refusal {
	if requireTLS {
		return noRequireTLS(h.host + " does not do it as it must")
	}
	return &refusal{err: reply.Wrap(err, 451, "4.7.5", "The server %s did not give the TLS that is required", h.host)}
}

// send gives the job to the open connection. Known is false when the session failed before the message was on its way,
// so that another host may be tried.
func (l *remoteLine) send(ctx context.Context, job *Job) (outcomes []Outcome, known bool) {
	result, err := l.c.Send(ctx, mailOf(job), job.Open())
	if err != nil {
		// Behind the final dot the server may have taken it; trying elsewhere at once could double it.
		var e *client.Error
		sent := errors.As(err, &e) && e.Phase == client.PhaseEnd
		problem := reply.Wrap(err, 451, "4.4.2", "The connection to %s was lost", l.hop.host)
		return same(job, Outcome{Err: problem, Host: l.at, TLS: l.c.TLS() != nil}), sent
	}
	_, dsn := l.c.Extension("DSN")
	outcomes = make([]Outcome, len(job.Recipients))
	for i, e := range result.Recipients {
		outcomes[i] = Outcome{Host: l.at, TLS: l.c.TLS() != nil, Relayed: e == nil && !dsn, Reply: result.Reply.String()}
		if e != nil {
			outcomes[i].from(e)
		}
	}
	return outcomes, true
}

// from fills in a recipient's failure.
func (o *Outcome) from(err error) {
	var remote *client.Error
	if errors.As(err, &remote) {
		r := remote.Reply
		o.Err = reply.Wrap(err, r.Code, r.EnhancedString(), "%s", r.Text())
		o.Remote, o.Reply = true, r.String()
		o.elsewhere = remote.Phase == client.PhaseMail
		return
	}
	o.Err, o.Reply = reply.From(err), ""
}

func mailOf(job *Job) *client.Mail {
	m := &client.Mail{
		From: job.From, Size: job.Size, Ret: job.Ret, EnvID: job.EnvID,
		SMTPUTF8: job.SMTPUTF8, Body8Bit: job.Body8Bit, RequireTLS: job.RequireTLS,
	}
	for _, r := range job.Recipients {
		m.Recipients = append(m.Recipients, client.Recipient{Address: r.Address, Notify: r.Notify.String(), ORCPT: r.ORCPT})
	}
	return m
}

func same(job *Job, o Outcome) []Outcome {
	list := make([]Outcome, len(job.Recipients))
	for i := range list {
		list[i] = o
	}
	return list
}

// hostAt is a host with its address, as logs and notices name it.
func hostAt(h hop, ip netip.Addr) string {
	if _, ok := literal(h.host); ok {
		return h.host
	}
	return fmt.Sprintf("%s[%s]", h.host, ip)
}

func isNoData(err error) bool { return errors.Is(err, resolver.ErrNoData) }
