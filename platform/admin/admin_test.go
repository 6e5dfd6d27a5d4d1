package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/antispam/outbound"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/config"
	"postern/internal/db"
	"postern/internal/resolver"
	"postern/internal/server"
	"postern/internal/spool"
	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/internal/tlsconf"
	"postern/platform/admin"
	"postern/platform/doctor"
	"postern/smtp/queue"
)

const password = "Postern-test-1"

// open makes a server that does not listen, and its administration.
func open(t *testing.T) (*server.Server, *admin.Backend) {
	t.Helper()
	dir := t.TempDir()
	c := config.New("mail.example.test", dir, 0, true)
	for name := range c.Listen {
		c.Listen[name] = nil
	}
	source, err := tlsconf.Open(tlsconf.Options{Dir: dir, Names: []string{c.Hostname}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := server.Open(t.Context(), server.Options{Config: c, Log: log, TLS: source, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	zone := testdns.Start(t, "example.test. IN MX 10 mail.example.test.")
	return s, &admin.Backend{
		Hostname: c.Hostname, Version: "test", Started: time.Now(), DB: s.DB, Directory: s.Directory, Settings: s.Settings,
		Queue: s.Queue, Outbound: s.Outbound, Keys: s.Keys, Mail: mail{}, Archive: s.Archive, Policies: s.Policies, Scripts: s.Scripts, Filters: s.Filters, Reports: s.Reports, Learning: &lessons{}, DNS: resolver.New(resolver.Options{Servers: []string{zone.Addr()}}),
		Addresses: func() []netip.Addr { return nil }, Patient: func() doctor.Patient { return doctor.Patient{Config: c, Leaf: source.Leaf()} },
		Reload: source.Reload, Clock: clock.System, Log: log,
	}
}

func parsed(t *testing.T, text string) address.Address {
	t.Helper()
	a, err := address.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// mail is a store with one damaged message.
type mail struct{}

func (mail) Usage(context.Context, int64) (int64, int64, error) { return 4096, 2, nil }

func (mail) Verify(_ context.Context, progress func(done, total int)) (admin.VerifyReport, error) {
	progress(1, 2)
	return admin.VerifyReport{Checked: 2, Damage: []admin.Damage{{Account: 1, Mailbox: "INBOX", UID: 7, What: "checksum"}}}, nil
}

// lessons are what account 1 was taught.
type lessons struct{ spam, ham map[string]bool }

func (l *lessons) Learn(_ context.Context, account int64, spam bool, message io.Reader) (bool, error) {
	if l.spam == nil {
		l.spam, l.ham = map[string]bool{}, map[string]bool{}
	}
	text, err := io.ReadAll(message)
	of := map[bool]map[string]bool{true: l.spam, false: l.ham}
	learnt := account == 1 && !of[spam][string(text)]
	of[spam][string(text)] = true
	delete(of[!spam], string(text))
	return learnt, err
}

func (l *lessons) Forget(_ context.Context, account int64) (bool, error) {
	*l = lessons{}
	return account == 1, nil
}

func (l *lessons) Learned(account int64) (spam, ham, tokens int64) {
	if account != 1 {
		return 0, 0, 0
	}
	return int64(len(l.spam)), int64(len(l.ham)), 7
}

// enqueue puts a message for two recipients into the queue, held, and gives its id.
func enqueue(t *testing.T, s *server.Server) string {
	t.Helper()
	content := spool.FromBytes([]byte("Subject: x\r\n\r\nx\r\n"))
	prepared, err := s.Store.Prepare(t.Context(), content, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Discard()
	var id queue.ID
	err = s.DB.Write(t.Context(), func(tx *db.Tx) error {
		blob, err := s.Store.RefBlobTx(tx, prepared)
		if err != nil {
			return err
		}
		id, err = s.Queue.EnqueueTx(tx, queue.Message{BlobID: int64(blob), Size: content.Size(), From: address.Address{Local: "alice", Domain: "example.test"}, Hold: true,
			Recipients: []queue.Recipient{{Address: address.Address{Local: "a", Domain: "far.example"}}, {Address: address.Address{Local: "b", Domain: "far.example"}}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// putOnHold has an account send more than it may.
func putOnHold(t *testing.T, s *server.Server, address string) {
	t.Helper()
	if !s.Outbound.Judge(t.Context(), outbound.Submission{Account: 77, Address: address, Recipients: 1_000_000}).Hold {
		t.Fatal("it is not on hold")
	}
}

// step is one request of the walk through the whole API.
type step struct {
	operation, path, body string
	status                int
	// has must be in the answer.
	has string
}

func TestEveryRouteAnswersAsTheDocumentSays(t *testing.T) {
	s, b := open(t)
	id := enqueue(t, s)
	putOnHold(t, s, "mallory@example.test")
	document := parseDocument(t)
	handler := b.Handler()
	at := func(parts ...string) string {
		for i, p := range parts {
			parts[i] = url.PathEscape(p)
		}
		return strings.Join(parts, "/")
	}
	alice, team := at("alice@example.test"), at("team/a+b@example.test")
	judge(t, s, "A-1", 700, nil, "team@example.test")
	walked := make(map[string]bool)
	for _, step := range []step{
		{"getServer", "/v1/server", "", 200, `"version":"test"`},
		{"addDomain", "/v1/domains", `{"name":"Example.TEST"}`, 201, `"name":"example.test"`},
		{"addDomain", "/v1/domains", `{"name":"example.test"}`, 409, `"code":"exists"`},
		{"addDomain", "/v1/domains", `{"name":"a b"}`, 400, `"fix":"write one such as example.org"`},
		{"listDomains", "/v1/domains", "", 200, `"separator":"+"`},
		{"getDomain", "/v1/domains/example.test", "", 200, `"algorithm":"ed25519"`},
		{"getDomain", "/v1/domains/other.test", "", 404, `"code":"not_found"`},
		{"addUser", "/v1/users", `{"address":"alice@example.test","password":"` + password + `","name":"Alice"}`, 201, `"admin":false`},
		{"addUser", "/v1/users", `{"address":"bob@example.test","password":"short"}`, 400, `"code":"invalid"`},
		{"addUser", "/v1/users", `{"address":"bob","password":"` + password + `"}`, 400, `is not an address`},
		{"listUsers", "/v1/users", "", 200, `"address":"alice@example.test"`},
		{"changeUser", "/v1/users/" + alice, `{"quota":1048576}`, 200, `"quota":1048576`},
		{"setPassword", "/v1/users/" + alice + "/password", `{"password":"` + password + `2"}`, 200, `{}`},
		{"setPassword", "/v1/users/" + alice + "/password", `{"password":"weak"}`, 400, `"code":"invalid"`},
		{"changeDomain", "/v1/domains/example.test", `{"catch_all":"alice@example.test","separator":"-"}`, 200, `"catch_all":"alice@example.test"`},
		{"changeDomain", "/v1/domains/example.test", `{"separator":"x"}`, 400, `"code":"invalid"`},
		{"getDNS", "/v1/domains/example.test/dns", "", 200, `v=spf1 a:mail.example.test ~all`},
		{"checkDNS", "/v1/domains/example.test/dns/check", "", 200, `"state":"ok"`},
		{"addAlias", "/v1/aliases", `{"address":"sales@example.test","targets":["alice@example.test"]}`, 201, `"targets":["alice@example.test"]`},
		{"listAliases", "/v1/aliases", "", 200, `sales@example.test`},
		{"addGroup", "/v1/groups", `{"address":"team/a+b@example.test","title":"T","members":["alice@example.test"]}`, 201, `"members":["alice@example.test"]`},
		{"listGroups", "/v1/groups", "", 200, `"title":"T"`},
		{"addMember", "/v1/groups/" + team + "/members/" + at("x@far.example"), "", 200, `x@far.example`},
		{"getGroup", "/v1/groups/" + team, "", 200, `x@far.example`},
		{"removeMember", "/v1/groups/" + team + "/members/" + at("x@far.example"), "", 200, `"members":["alice@example.test"]`},
		{"addGrant", "/v1/grants", `{"user":"alice@example.test","as":"team/a+b@example.test"}`, 201, `"as":"team/a+b@example.test"`},
		{"listGrants", "/v1/grants", "", 200, `"user":"alice@example.test"`},
		{"getUser", "/v1/users/" + alice, "", 200, `"aliases":["sales@example.test"]`},
		{"removeGrant", "/v1/grants/" + alice + "/" + team, "", 200, `{}`},
		{"removeGroup", "/v1/groups/" + team, "", 200, `{}`},
		{"removeGroup", "/v1/groups/" + team, "", 404, `"code":"not_found"`},
		{"removeAlias", "/v1/aliases/" + at("sales@example.test"), "", 200, `{}`},
		{"listQueue", "/v1/queue/list", `{"held":true}`, 200, `"to":"a@far.example"`},
		{"listQueue", "/v1/queue/list", `{"messages":["!"]}`, 400, `"code":"invalid"`},
		{"getMessage", "/v1/queue/messages/" + id, "", 200, `"to":"b@far.example"`},
		{"getMessage", "/v1/queue/messages/ZZZZ", "", 404, `"code":"not_found"`},
		{"retryQueue", "/v1/queue/retry", `{"messages":["` + id + `"],"held":true}`, 200, `"changed":0`},
		{"holdQueue", "/v1/queue/hold", `{"to":"a@far.example"}`, 200, `"changed":`},
		{"releaseQueue", "/v1/queue/release", `{"domain":"far.example"}`, 200, `"changed":2`},
		{"dropQueue", "/v1/queue/drop", `{}`, 400, `this would change the whole queue`},
		{"dropQueue", "/v1/queue/drop", `{"all":true}`, 200, `"changed":2`},
		{"summariseReports", "/v1/reports/summary", `{}`, 200, `"domain":"example.test"`},
		{"summariseReports", "/v1/reports/summary", `{"domain":"other.test"}`, 404, `"code":"not_found"`},
		{"summariseReports", "/v1/reports/summary", `{"kind":"paper"}`, 400, `"fix":"give dmarc or tls"`},
		{"listSentReports", "/v1/reports/sent", `{"kind":"tls"}`, 200, `[]`},
		{"listSettings", "/v1/settings", "", 200, `"name":"queue.max_age"`},
		{"setSetting", "/v1/settings/queue.max_age", `{"value":"3d"}`, 200, `"changed":true`},
		{"setSetting", "/v1/settings/queue.max_age", `{"value":"soon"}`, 400, `"fix":"give a duration from`},
		{"setSetting", "/v1/settings/queue.colour", `{"value":"3d"}`, 404, `"code":"not_found"`},
		{"getSetting", "/v1/settings/queue.max_age", "", 200, `"value":"3d"`},
		{"resetSetting", "/v1/settings/queue.max_age", "", 200, `"changed":false`},
		{"listTraces", "/v1/spam/list", `{"action":"junk","limit":5}`, 200, `"id":"A-1"`},
		{"listTraces", "/v1/spam/list", `{"action":"burn"}`, 400, `"fix":"write one of inbox, tag, junk`},
		{"listTraces", "/v1/spam/list", `{"limit":1001}`, 400, `"fix":"give a limit from 1 to 1000`},
		{"listTraces", "/v1/spam/list", `{"from":"a b"}`, 400, `neither an address nor a domain`},
		{"listTraces", "/v1/spam/list", `{"to":"alice"}`, 400, `is not an address`},
		{"listTraces", "/v1/spam/list", `{"after":"x"}`, 400, `is no place in the list`},
		{"getTraces", "/v1/spam/traces/A-1", "", 200, `"points":7.00`},
		{"getTraces", "/v1/spam/traces/" + at("<A-1/x@example.net>"), "", 200, `"rule":"score 7.00 reaches junk 5.00 of server"`},
		{"getTraces", "/v1/spam/traces/B-1", "", 404, `"fix":"` + "`postern spam list`"},
		{"replayTraces", "/v1/spam/replay", `{"id":"A-1","what_if":{"junk":8}}`, 200, `{"was":"junk","is":"tag","copies":1}`},
		{"replayTraces", "/v1/spam/replay", `{}`, 200, `"different":0`},
		{"replayTraces", "/v1/spam/replay", `{"id":"B-1"}`, 404, `"code":"not_found"`},
		{"replayTraces", "/v1/spam/replay", `{"what_if":{"dmarc_override":["example.org"]}}`, 400, `is no override of a DMARC policy`},
		{"replayTraces", "/v1/spam/replay", `{"what_if":{"virus":"tag"}}`, 400, `is no action for viruses`},
		{"listSpamPolicies", "/v1/spam/policies", "", 200, `[{"scope":"server","tag":3.00,`},
		{"getSpamPolicy", "/v1/spam/policies/" + alice, "", 200, `"in_force":{"source":"server","tag":3.00,"junk":5.00,`},
		{"getSpamPolicy", "/v1/spam/policies/other.test", "", 404, `is not served here`},
		{"setSpamPolicy", "/v1/spam/policies/" + alice, `{"junk":4.5}`, 200, `{"scope":"alice@example.test","junk":4.50,"in_force":{"source":"alice@example.test",`},
		{"setSpamPolicy", "/v1/spam/policies/" + alice, `{"tag":4.51}`, 400, `tag 4.51 would lie above junk 4.50`},
		{"resetSpamPolicy", "/v1/spam/policies/" + alice, "", 200, `"in_force":{"source":"server"`},
		{"addSender", "/v1/spam/senders", `{"kind":"block","pattern":"Spam.Example","scope":"example.test"}`, 201, `"pattern":"spam.example"`},
		{"addSender", "/v1/spam/senders", `{"kind":"deny","pattern":"spam.example"}`, 400, `"fix":"write allow or block"`},
		{"addSender", "/v1/spam/senders", `{"kind":"block","pattern":"*"}`, 400, `is no sender`},
		{"listSenders", "/v1/spam/senders/list", `{"kind":"block"}`, 200, `"scope":"example.test"`},
		{"removeSender", "/v1/spam/senders/remove", `{"kind":"block","pattern":"spam.example","scope":"example.test"}`, 200, `"pattern"`},
		{"removeSender", "/v1/spam/senders/remove", `{"kind":"block","pattern":"spam.example"}`, 404, `is not in the block list of server`},
		{"learn", "/v1/spam/learned/" + alice + "/spam", "Subject: pills\n\nx", 200, `"learnt":true`},
		{"learn", "/v1/spam/learned/" + alice + "/spam", "Subject: pills\n\nx", 200, `"learnt":false`},
		{"learn", "/v1/spam/learned/" + alice + "/eggs", "Subject: pills\n\nx", 400, `"fix":"teach spam or ham"`},
		{"learn", "/v1/spam/learned/" + at("bob@example.test") + "/ham", "x", 404, `"code":"not_found"`},
		{"getLearned", "/v1/spam/learned/" + alice, "", 200, `"spam":1,"ham":0,"tokens":7`},
		{"getLearned", "/v1/spam/learned/everyone", "", 200, `"for":"everyone"`},
		{"getLearned", "/v1/spam/learned/nobody", "", 400, `is not an address`},
		{"forgetLearned", "/v1/spam/learned/" + alice, "", 200, `"withdrawn":true`},
		{"putScript", "/v1/sieve/put", `{"scope":"Example.TEST","role":"global","name":"lib","content":"keep;"}`, 200, `"scope":"example.test","role":"global","name":"lib","active":false,"size":5`},
		{"putScript", "/v1/sieve/put", `{"scope":"server","role":"before","name":"main","content":"require \"include\";\ninclude :global \"lib\";","activate":true}`, 200, `"line":2,"column":1,"text":"there is no script`},
		{"putScript", "/v1/sieve/put", `{"scope":"server","role":"before","name":"main","content":"keep;\n  keeep;"}`, 400, `is not kept:\n  line 2, column 3: unknown command 'keeep'`},
		{"putScript", "/v1/sieve/put", `{"scope":"alice@example.test","name":"","content":"keep;"}`, 400, `"message":"a script needs a name","fix":"give it one`},
		{"putScript", "/v1/sieve/put", `{"scope":"alice@example.test","role":"before","name":"x","content":"keep;"}`, 400, `"fix":"leave the role out"`},
		{"putScript", "/v1/sieve/put", `{"scope":"server","name":"x","content":"keep;"}`, 400, `"fix":"say before, after, changed or global"`},
		{"putScript", "/v1/sieve/put", `{"scope":"server","role":"global","name":"x","content":"keep;","activate":true}`, 400, `global scripts are not run by themselves`},
		{"checkScript", "/v1/sieve/check", `{"scope":"example.test","role":"after","name":"","content":"stop;\nkeep;"}`, 200, `"mistakes":[],"warnings":[{"line":2,`},
		{"getScript", "/v1/sieve/get", `{"scope":"server","role":"before","name":"main"}`, 200, `"active":true`},
		{"getScript", "/v1/sieve/get", `{"scope":"server","role":"after","name":"main"}`, 404, `"message":"there is no script \"main\"","fix":"list the scripts`},
		{"getScript", "/v1/sieve/get", `{"scope":"other.test","role":"after","name":"main"}`, 404, `there is no domain other.test`},
		{"activateScript", "/v1/sieve/activate", `{"scope":"server","role":"before","name":""}`, 400, `deactivate the one that is active`},
		{"activateScript", "/v1/sieve/activate", `{"scope":"server","role":"before","name":"main"}`, 200, `"active":true`},
		{"deleteScript", "/v1/sieve/delete", `{"scope":"server","role":"before","name":"main"}`, 400, `is active","fix":"activate another or none first"`},
		{"deactivateScript", "/v1/sieve/deactivate", `{"scope":"server","role":"before"}`, 200, `{}`},
		{"deactivateScript", "/v1/sieve/deactivate", `{"scope":"server","role":"global"}`, 400, `global scripts are not run`},
		{"renameScript", "/v1/sieve/rename", `{"scope":"server","role":"before","name":"main","to":"main"}`, 409, `"code":"exists"`},
		{"renameScript", "/v1/sieve/rename", `{"scope":"server","role":"before","name":"main","to":"first"}`, 200, `"name":"first"`},
		{"listScripts", "/v1/sieve/list", `{"scope":""}`, 200, `"scope":"server","role":"before","name":"first"`},
		{"listScripts", "/v1/sieve/list", `{"scope":"","role":"global"}`, 200, `[{"scope":"example.test","role":"global","name":"lib"`},
		{"listScripts", "/v1/sieve/list", `{"scope":"","role":"own"}`, 400, `is no role`},
		{"listScripts", "/v1/sieve/list", `{"scope":"alice@example.test"}`, 200, `[]`},
		{"listScripts", "/v1/sieve/list", `{"scope":"server"}`, 200, `"name":"first"`},
		{"deleteScript", "/v1/sieve/delete", `{"scope":"server","role":"before","name":"first"}`, 200, `{}`},
		{"traceScripts", "/v1/sieve/trace", `{"id":"A-1"}`, 200, `"id":"A-1"`},
		{"traceScripts", "/v1/sieve/trace", `{"id":"A-1","user":"alice@example.test"}`, 404, `did not come for alice`},
		{"traceScripts", "/v1/sieve/trace", `{"last":5}`, 200, `[]`},
		{"traceScripts", "/v1/sieve/trace", `{"last":5,"id":"A-1"}`, 400, `either one message or the last ones`},
		{"deleteScript", "/v1/sieve/delete", `{"scope":"nobody@example.test","name":"first"}`, 404, `there is no user`},
		{"verify", "/v1/verify", "", 200, `"what":"checksum"`},
		{"check", "/v1/check", "", 200, `"subject":"queue"`},
		{"reload", "/v1/reload", "", 200, `{}`},
		{"removeUser", "/v1/users/" + alice, "", 200, `{}`},
		{"removeDomain", "/v1/domains/example.test", "", 200, `{}`},
		{"listHolds", "/v1/outbound/holds", "", 200, `"address":"mallory@example.test"`},
		{"liftHold", "/v1/outbound/holds/" + at("alice@example.test"), "", 404, `"fix":"` + "`postern user holds`" + ` shows those that are"`},
		{"liftHold", "/v1/outbound/holds/" + at("Mallory@Example.TEST"), "", 200, `{}`},
		{"listHolds", "/v1/outbound/holds", "", 200, `[]`},
		{"getOpenAPI", "/v1/openapi.json", "", 200, `"openapi": "3.1.0"`},
	} {
		op := document.operation(t, step.operation)
		walked[step.operation] = true
		req := httptest.NewRequest(op.method, step.path, strings.NewReader(step.body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.has) {
			t.Errorf("%s %s %s: %d %s\nwant %d with %s", step.operation, step.path, step.body, w.Code, w.Body, step.status, step.has)
			continue
		}
		if !op.matches(step.path) {
			t.Errorf("%s does not belong to %s", step.path, op.path)
		}
		document.check(t, step.operation, op.schema(t, w.Code, w.Header().Get("Content-Type")), w.Body.Bytes())
	}
	for name := range document.operations {
		if !walked[name] {
			t.Errorf("nothing walks %s", name)
		}
	}
}

func TestTheDocumentInTheRepositoryIsWhatIsServed(t *testing.T) {
	path := filepath.Join(testenv.Repository(), "docs", "openapi.json")
	made, err := admin.Document()
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != string(made) {
		t.Errorf("docs/openapi.json differs (%v); run: go test ./platform/admin -run Document -update", err)
	}
}

var update = flag.Bool("update", false, "write docs/openapi.json")

func TestRequestsAreReadStrictly(t *testing.T) {
	_, b := open(t)
	handler := b.Handler()
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/v1/domains", `{"name":"a.test","colour":"red"}`, `unknown field`},
		{"POST", "/v1/domains", `{"name":"a.test"}{}`, `more than one JSON value`},
		{"POST", "/v1/domains", ``, `has no body`},
		{"POST", "/v1/domains", `{"name":`, `not understood`},
		{"POST", "/v1/domains", `{"name":7}`, `not understood`},
		{"POST", "/v1/domains", `{"name":"` + strings.Repeat("a", 5<<20) + `"}`, `not understood`},
		{"GET", "/v1/nothing", ``, `there is no GET /v1/nothing`},
		{"GET", "/", ``, `there is no GET /`},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		var e admin.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code < 400 || !strings.Contains(e.Message, c.want) || e.Fix == "" {
			t.Errorf("%s %.60s: %d %s, want %s", c.path, c.body, w.Code, w.Body, c.want)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("DELETE", "/v1/server", nil))
	if w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusNotFound {
		t.Errorf("a wrong method is answered with %d", w.Code)
	}
}

func TestTheClientSpeaksToTheServerOverItsSocket(t *testing.T) {
	_, b := open(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	client := admin.Dial(socket)
	if _, err := client.Server(t.Context()); !errors.Is(err, admin.ErrNoServer) || !strings.Contains(err.Error(), "postern serve") {
		t.Errorf("without a server: %v", err)
	}
	l := listen(t, socket)
	serveHTTP(t, l, b.Handler())
	info, err := client.Server(t.Context())
	if err != nil || info.PID != os.Getpid() {
		t.Fatalf("%+v %v", info, err)
	}
	if _, err := client.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	var refused *admin.Error
	if _, err := client.AddDomain(t.Context(), "example.test"); !errors.As(err, &refused) || refused.Code != "exists" {
		t.Errorf("got %v", err)
	}
	moved := 0
	report, err := client.Verify(t.Context(), func(int, int) { moved++ })
	if err != nil || len(report.Damage) != 1 {
		t.Errorf("%+v %v", report, err)
	}
	if _, err := client.User(t.Context(), ".."); err == nil {
		t.Error("a name that is a way up was sent")
	}
}

func TestTheSocketIsForItsOwnerAlone(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listen(t, socket)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAnotherUserIsRefusedEvenWhereTheModeWouldLetThemIn(t *testing.T) {
	testenv.Root(t)
	_, b := open(t)
	dir, err := os.MkdirTemp("", "postern-peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "admin.sock")
	serveHTTP(t, listen(t, socket), b.Handler())
	for _, path := range []string{dir, socket} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for uid, want := range map[uint32]string{0: "200", 65534: "refused"} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperAsksTheServer$")
		cmd.Env = append(os.Environ(), "POSTERN_HELPER_SOCKET="+socket)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("as uid %d: %q %v, want %s", uid, out, err, want)
		}
	}
}

// TestHelperAsksTheServer is the other process of the test above.
func TestHelperAsksTheServer(t *testing.T) {
	socket := os.Getenv("POSTERN_HELPER_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /v1/server HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if len(answer) == 0 {
		fmt.Println("refused")
	}
	os.Stdout.Write(answer)
}

func TestASocketLeftByAKilledServerIsReplacedAndALiveOneIsNot(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	dead, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	listen(t, socket)
	if _, err := admin.Listen(socket, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another server answers") {
		t.Errorf("got %v", err)
	}
}

func listen(t *testing.T, socket string) net.Listener {
	t.Helper()
	l, err := admin.Listen(socket, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func serveHTTP(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
}

// document is the OpenAPI document as a reader of it sees it.
type document struct {
	schemas    map[string]any
	operations map[string]operation
}

type operation struct {
	method, path string
	body         map[string]any
}

func parseDocument(t *testing.T) document {
	t.Helper()
	text, err := admin.Document()
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	d := document{all.Components.Schemas, make(map[string]operation)}
	for path, methods := range all.Paths {
		for method, body := range methods {
			name := body["operationId"].(string)
			if _, twice := d.operations[name]; twice {
				t.Errorf("%s is there twice", name)
			}
			d.operations[name] = operation{strings.ToUpper(method), path, body}
		}
	}
	return d
}

func (d document) operation(t *testing.T, name string) operation {
	t.Helper()
	op, ok := d.operations[name]
	if !ok {
		t.Fatalf("the document has no %s", name)
	}
	return op
}

// matches reports whether a request's path is one of the operation's.
func (o operation) matches(path string) bool {
	want, got := strings.Split(o.path, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || strings.HasPrefix(w, "{") })
}

// schema is what the document says of an answer.
func (o operation) schema(t *testing.T, status int, contentType string) any {
	t.Helper()
	responses := o.body["responses"].(map[string]any)
	response, ok := responses[fmt.Sprint(status)].(map[string]any)
	if !ok {
		response = responses["default"].(map[string]any)
	}
	content, ok := response["content"].(map[string]any)[contentType].(map[string]any)
	if !ok {
		t.Errorf("%s answers %d with %s, which the document does not say", o.path, status, contentType)
		return map[string]any{}
	}
	return content["schema"]
}

func (d document) check(t *testing.T, where string, schema any, body []byte) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	for {
		var value any
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
		d.validate(t, where, schema.(map[string]any), value)
	}
}

// validate holds a value against a schema, as far as our documents go, and misses nothing that is not described.
func (d document) validate(t *testing.T, where string, schema map[string]any, value any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = d.schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any)
	}
	good := false
	switch schema["type"] {
	case "object":
		var fields map[string]any
		if fields, good = value.(map[string]any); good {
			d.validateObject(t, where, schema, fields)
		}
	case "array":
		var list []any
		if list, good = value.([]any); good {
			for i, element := range list {
				d.validate(t, fmt.Sprintf("%s[%d]", where, i), schema["items"].(map[string]any), element)
			}
		}
	case "string":
		var text string
		text, good = value.(string)
		if allowed, ok := schema["enum"].([]any); ok {
			good = good && slices.Contains(allowed, any(text))
		}
		if schema["format"] == "date-time" {
			_, err := time.Parse(time.RFC3339, text)
			good = good && err == nil
		}
	case "integer":
		var n float64
		n, good = value.(float64)
		good = good && n == float64(int64(n))
	case "number":
		_, good = value.(float64)
	case "boolean":
		_, good = value.(bool)
	}
	if !good {
		t.Errorf("%s: %v is not %v", where, value, schema)
	}
}

func (d document) validateObject(t *testing.T, where string, schema map[string]any, fields map[string]any) {
	t.Helper()
	properties, described := schema["properties"].(map[string]any)
	if !described {
		return
	}
	for name, value := range fields {
		property, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("%s.%s is not in the document", where, name)
			continue
		}
		d.validate(t, where+"."+name, property, value)
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := fields[name.(string)]; !ok {
			t.Errorf("%s.%s is missing", where, name)
		}
	}
}
