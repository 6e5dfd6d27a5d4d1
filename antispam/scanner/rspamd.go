package scanner

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"postern/internal/oneline"
	"postern/internal/verdict"
)

const (
	// rspamdSize is how much of a message rspamd is given unless said otherwise: a little less than its own max_message.
	rspamdSize = 48 << 20
	// rspamdAnswer is room for what an answer repeats of a header of a mebibyte.
	rspamdAnswer     = 4 << 20
	rspamdRecipients = 100
)

// Rspamd is a worker of rspamd that answers checks, asked over HTTP at /checkv2.
type Rspamd struct {
	// URL is such as "http://127.0.0.1:11333".
	URL string
	// Password is sent along where one is set in rspamd's configuration. Secret.
	Password string
	// MaxSize is how many bytes of a message are scanned, 48 MiB when 0. More than max_message in rspamd's options is
	// refused by rspamd.
	MaxSize int64
}

// rspamdClient makes what speaks HTTP for one message. The environment's proxies are for the web, not for people's mail; nor is
// mail sent on to wherever an answer points.
func rspamdClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{}).DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Name is "rspamd".
func (*Rspamd) Name() string { return "rspamd" }

// String is the setting that names it.
func (s *Rspamd) String() string { return "rspamd:" + s.URL }

func (s *Rspamd) peer() peer { return peer{"rspamd", s.URL, verdict.CheckScanner} }

// Scan is [Scanner].
func (s *Rspamd) Scan(ctx context.Context, m Message) (Result, error) {
	limit := s.MaxSize
	if limit <= 0 {
		limit = rspamdSize
	}
	content, scanned, total := m.open(limit)
	body := &body{source: content, closed: make(chan struct{})}
	r, err := s.ask(ctx, m, body, scanned)
	<-body.closed
	err = cmp.Or(err, content.heard())
	if err != nil {
		return Result{Name: "rspamd"}, s.peer().failed(ctx, content.err, err)
	}
	r.Scanned, r.Total = scanned, total
	return r, nil
}

// body is a message as a request's body. The transport may still read it when the answer is there; nobody may close the message
// before that ends, which Close tells.
type body struct {
	*source
	once   sync.Once
	closed chan struct{}
}

// Close is [io.Closer].
func (b *body) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

func (s *Rspamd) ask(ctx context.Context, m Message, content io.ReadCloser, size int64) (Result, error) {
	var answered atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { answered.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/checkv2", content)
	if err != nil {
		content.Close()
		return Result{}, err
	}
	if req.ContentLength = size; size == 0 {
		content.Close()
		req.Body = http.NoBody
	}
	req.Header = m.rspamdHeader(s.Password)
	resp, err := rspamdClient().Do(req)
	if err != nil {
		return Result{}, httpFailure(ctx, err, answered.Load())
	}
	defer resp.Body.Close()
	answer, err := readAll(resp.Body, rspamdAnswer)
	if resp.StatusCode != http.StatusOK {
		return Result{}, refusal{rspamdRefusal(resp.StatusCode, answer), Refused}
	}
	if err != nil {
		return Result{}, err
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return Result{}, lying("its answer is %q and not JSON", cut(resp.Header.Get("Content-Type"), 80))
	}
	r, err := parseRspamd(answer)
	r.Version = rspamdVersion(resp.Header.Get("Server"))
	return r, err
}

// httpFailure tells a connection that failed from an answer that is not HTTP, for which package http has no type.
func httpFailure(ctx context.Context, err error, answered bool) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var network net.Error
	if !answered || ctx.Err() != nil || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return lying("its answer is not HTTP: %s", oneline.Text(err.Error(), 200))
}

// rspamdHeader is the envelope. Without an IP rspamd takes the message for a local one.
func (m Message) rspamdHeader(password string) http.Header {
	h := http.Header{}
	set := func(name, value string) {
		if value = headerValue(value); value != "" {
			h.Add(name, value)
		}
	}
	set("From", m.From)
	for _, to := range m.Recipients[:min(len(m.Recipients), rspamdRecipients)] {
		set("Rcpt", to)
	}
	if m.Client.IsValid() {
		set("IP", m.Client.Unmap().WithZone("").String())
	}
	set("Helo", m.Helo)
	set("Hostname", m.Hostname)
	set("Queue-Id", m.ID)
	set("User", m.User)
	set("Password", password)
	h.Set("User-Agent", "Postern")
	return h
}

// headerValue leaves out what cannot stand in an HTTP field.
func headerValue(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, cut(s, 1000)))
}

func rspamdRefusal(status int, answer []byte) string {
	text := "it answers " + strconv.Itoa(status)
	if said := rspamdError(answer); said != "" {
		text += " " + said
	}
	return text
}

func rspamdVersion(server string) string {
	version, ok := strings.CutPrefix(server, "rspamd/")
	if !ok {
		return ""
	}
	return oneline.Text(version, 40)
}
