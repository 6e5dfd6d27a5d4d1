package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"postern/smtp/queue"
)

// Client speaks to a server's API. Its errors are *Error where the server, or the way to it, refused.
type Client struct{ http http.Client }

// Dial makes a client of the server at a socket. Nothing is sent yet.
func Dial(socket string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
			if err != nil {
				return nil, noServer(socket, err)
			}
			return conn, nil
		},
	}}}
}

// ErrNoServer is in the chain of errors that mean that no server runs, or none that we may reach.
var ErrNoServer = errors.New("no server")

// unreachable is ErrNoServer with its story.
type unreachable struct{ story *Error }

func (u unreachable) Error() string      { return u.story.Error() }
func (unreachable) Is(target error) bool { return target == ErrNoServer }
func (u unreachable) Unwrap() error      { return u.story }

func noServer(socket string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &Error{"denied", "you may not administer the server at " + socket, "run the command as root or as the owner of the data directory"}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return unreachable{&Error{"unavailable", "no server answers at " + socket, "start it with `postern serve`, or name its configuration with --config"}}
	}
	return &Error{"unavailable", "the server at " + socket + " cannot be reached: " + err.Error(), "see whether it runs, and its log"}
}

// Direct makes a client that calls a handler in this process: for work on a server that is open but does not listen.
func Direct(h http.Handler) *Client { return &Client{http.Client{Transport: direct{h}}} }

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(w, req)
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: req}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
func (w *recorder) Flush()                      {}

// do sends a request and decodes its answer into out, which may be nil. Parts of the path after the first are escaped.
func (c *Client) do(ctx context.Context, method string, in, out any, path string, parts ...string) error {
	resp, err := c.send(ctx, method, in, path, parts...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return understand(resp.Body, out)
}

// understand decodes an answer.
func understand(body io.Reader, out any) error {
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("the server's answer is not understood: %w; command and server may differ in version", err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method string, in any, path string, parts ...string) (*http.Response, error) {
	escaped := make([]any, len(parts))
	for i, part := range parts {
		if part == "" || part == "." || part == ".." {
			return nil, &Error{"invalid", fmt.Sprintf("%q is not a name", part), ""}
		}
		escaped[i] = url.PathEscape(part)
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://postern"+fmt.Sprintf(path, escaped...), body)
	if err != nil {
		return nil, err
	}
	return c.deliver(req)
}

// deliver sends a request and turns a refusal into an error.
func (c *Client) deliver(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	e := new(Error)
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(e); err != nil || e.Message == "" {
		return nil, &Error{"internal", "the server answered " + resp.Status, "see its log"}
	}
	return nil, e
}

func call[T any](ctx context.Context, c *Client, method string, in any, path string, parts ...string) (T, error) {
	var out T
	err := c.do(ctx, method, in, &out, path, parts...)
	return out, err
}

// Server says who answers.
func (c *Client) Server(ctx context.Context) (ServerInfo, error) {
	return call[ServerInfo](ctx, c, "GET", nil, "/v1/server")
}

// Reload has the certificate taken from its files again.
func (c *Client) Reload(ctx context.Context) error { return c.do(ctx, "POST", nil, nil, "/v1/reload") }

// Check examines the server and its surroundings.
func (c *Client) Check(ctx context.Context) (Check, error) {
	return call[Check](ctx, c, "GET", nil, "/v1/check")
}

// Verify reads everything that is stored; progress may be nil.
func (c *Client) Verify(ctx context.Context, progress func(done, total int)) (VerifyReport, error) {
	resp, err := c.send(ctx, "POST", nil, "/v1/verify")
	if err != nil {
		return VerifyReport{}, err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var e VerifyEvent
		if err := lines.Decode(&e); err != nil {
			return VerifyReport{}, fmt.Errorf("the server stopped before the end: %w; see its log", err)
		}
		switch {
		case e.Error != nil:
			return VerifyReport{}, e.Error
		case e.Report != nil:
			return *e.Report, nil
		case progress != nil:
			progress(e.Done, e.Total)
		}
	}
}

// Domains lists the mail domains.
func (c *Client) Domains(ctx context.Context) ([]Domain, error) {
	return call[[]Domain](ctx, c, "GET", nil, "/v1/domains")
}

// AddDomain makes a domain ours.
func (c *Client) AddDomain(ctx context.Context, name string) (Domain, error) {
	return call[Domain](ctx, c, "POST", NewDomain{name}, "/v1/domains")
}

// Domain gives a domain with its keys.
func (c *Client) Domain(ctx context.Context, name string) (DomainDetails, error) {
	return call[DomainDetails](ctx, c, "GET", nil, "/v1/domains/%s", name)
}

// ChangeDomain changes a domain.
func (c *Client) ChangeDomain(ctx context.Context, name string, change DomainChange) (Domain, error) {
	return call[Domain](ctx, c, "PATCH", change, "/v1/domains/%s", name)
}

// RemoveDomain gives a domain up.
func (c *Client) RemoveDomain(ctx context.Context, name string) error {
	return c.do(ctx, "DELETE", nil, nil, "/v1/domains/%s", name)
}

// DNS gives what must stand in the DNS for a domain.
func (c *Client) DNS(ctx context.Context, name string) (DNS, error) {
	return call[DNS](ctx, c, "GET", nil, "/v1/domains/%s/dns", name)
}

// CheckDNS compares it with what stands there.
func (c *Client) CheckDNS(ctx context.Context, name string) (DNSCheck, error) {
	return call[DNSCheck](ctx, c, "GET", nil, "/v1/domains/%s/dns/check", name)
}

// Users lists the users.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	return call[[]User](ctx, c, "GET", nil, "/v1/users")
}

// AddUser makes a user.
func (c *Client) AddUser(ctx context.Context, u NewUser) (User, error) {
	return call[User](ctx, c, "POST", u, "/v1/users")
}

// User gives a user with what belongs to them.
func (c *Client) User(ctx context.Context, address string) (UserDetails, error) {
	return call[UserDetails](ctx, c, "GET", nil, "/v1/users/%s", address)
}

// ChangeUser changes a user.
func (c *Client) ChangeUser(ctx context.Context, address string, change UserChange) (User, error) {
	return call[User](ctx, c, "PATCH", change, "/v1/users/%s", address)
}

// RemoveUser removes a user with all their mail.
func (c *Client) RemoveUser(ctx context.Context, address string) error {
	return c.do(ctx, "DELETE", nil, nil, "/v1/users/%s", address)
}

// SetPassword gives a user another password.
func (c *Client) SetPassword(ctx context.Context, address, password string) error {
	return c.do(ctx, "PUT", Password{password}, nil, "/v1/users/%s/password", address)
}

// Holds lists the accounts whose outgoing mail waits.
func (c *Client) Holds(ctx context.Context) ([]Hold, error) {
	return call[[]Hold](ctx, c, "GET", nil, "/v1/outbound/holds")
}

// LiftHold lets an account send again.
func (c *Client) LiftHold(ctx context.Context, address string) error {
	return c.do(ctx, "DELETE", nil, nil, "/v1/outbound/holds/%s", address)
}

// Aliases lists the aliases.
func (c *Client) Aliases(ctx context.Context) ([]Alias, error) {
	return call[[]Alias](ctx, c, "GET", nil, "/v1/aliases")
}

// AddAlias gives users a further address.
func (c *Client) AddAlias(ctx context.Context, alias string, targets []string) (Alias, error) {
	return call[Alias](ctx, c, "POST", Alias{alias, targets}, "/v1/aliases")
}

// RemoveAlias removes an alias.
func (c *Client) RemoveAlias(ctx context.Context, alias string) error {
	return c.do(ctx, "DELETE", nil, nil, "/v1/aliases/%s", alias)
}

// Groups lists the groups.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	return call[[]Group](ctx, c, "GET", nil, "/v1/groups")
}

// AddGroup makes a group.
func (c *Client) AddGroup(ctx context.Context, g Group) (Group, error) {
	return call[Group](ctx, c, "POST", g, "/v1/groups")
}

// Group gives a group with its members.
func (c *Client) Group(ctx context.Context, address string) (Group, error) {
	return call[Group](ctx, c, "GET", nil, "/v1/groups/%s", address)
}

// RemoveGroup removes a group.
func (c *Client) RemoveGroup(ctx context.Context, address string) error {
	return c.do(ctx, "DELETE", nil, nil, "/v1/groups/%s", address)
}

// AddMember adds a member to a group.
func (c *Client) AddMember(ctx context.Context, group, member string) (Group, error) {
	return call[Group](ctx, c, "PUT", nil, "/v1/groups/%s/members/%s", group, member)
}

// RemoveMember takes a member out of a group.
func (c *Client) RemoveMember(ctx context.Context, group, member string) (Group, error) {
	return call[Group](ctx, c, "DELETE", nil, "/v1/groups/%s/members/%s", group, member)
}

// Grants lists who may send as whom.
func (c *Client) Grants(ctx context.Context) ([]Grant, error) {
	return call[[]Grant](ctx, c, "GET", nil, "/v1/grants")
}

// AddGrant lets a user send as another address of ours.
func (c *Client) AddGrant(ctx context.Context, g Grant) (Grant, error) {
	return call[Grant](ctx, c, "POST", g, "/v1/grants")
}

// RemoveGrant takes a grant back.
func (c *Client) RemoveGrant(ctx context.Context, g Grant) error {
	return c.do(ctx, "DELETE", nil, nil, "/v1/grants/%s/%s", g.User, g.As)
}

// Queue lists recipients that wait.
func (c *Client) Queue(ctx context.Context, f QueueFilter) ([]QueueEntry, error) {
	return call[[]QueueEntry](ctx, c, "POST", f, "/v1/queue/list")
}

// Message gives a message in the queue.
func (c *Client) Message(ctx context.Context, id string) (QueueMessage, error) {
	if parsed, err := queue.ParseID(id); err == nil {
		id = parsed.String()
	}
	return call[QueueMessage](ctx, c, "GET", nil, "/v1/queue/messages/%s", id)
}

// ChangeQueue does retry, hold, release or drop.
func (c *Client) ChangeQueue(ctx context.Context, verb string, f QueueFilter) (QueueChange, error) {
	return call[QueueChange](ctx, c, "POST", f, "/v1/queue/%s", verb)
}

// Settings lists every setting.
func (c *Client) Settings(ctx context.Context) ([]Setting, error) {
	return call[[]Setting](ctx, c, "GET", nil, "/v1/settings")
}

// Setting gives one setting.
func (c *Client) Setting(ctx context.Context, name string) (Setting, error) {
	return call[Setting](ctx, c, "GET", nil, "/v1/settings/%s", name)
}

// SetSetting changes a setting.
func (c *Client) SetSetting(ctx context.Context, name, value string) (Setting, error) {
	return call[Setting](ctx, c, "PUT", SettingValue{value}, "/v1/settings/%s", name)
}

// ResetSetting gives a setting its default again.
func (c *Client) ResetSetting(ctx context.Context, name string) (Setting, error) {
	return call[Setting](ctx, c, "DELETE", nil, "/v1/settings/%s", name)
}
