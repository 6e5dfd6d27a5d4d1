package admin

import (
	"time"

	"postern/internal/settings"
	"postern/platform/doctor"
	"postern/platform/zone"
	"postern/smtp/queue"
)

// Error is what a refused request is answered with.
type Error struct {
	Code    string `json:"code" doc:"not_found, exists, invalid, denied, unavailable or internal."`
	Message string `json:"message" doc:"What is wrong."`
	Fix     string `json:"fix,omitempty" doc:"How to mend it."`
}

// Error gives message and mending.
func (e *Error) Error() string {
	if e.Fix == "" {
		return e.Message
	}
	return e.Message + "; " + e.Fix
}

// Server says who answers.
type ServerInfo struct {
	Hostname string    `json:"hostname"`
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
}

// Domain is a mail domain.
type Domain struct {
	Name      string    `json:"name" doc:"Lower-case A-labels."`
	Separator string    `json:"separator" doc:"What stands between name and detail of a subaddress; empty for none."`
	CatchAll  string    `json:"catch_all,omitempty" doc:"Who gets mail for addresses that no one has."`
	Created   time.Time `json:"created"`
}

// NewDomain is what a domain is made from.
type NewDomain struct {
	Name string `json:"name" doc:"The domain, such as example.org."`
}

// DomainChange says what of a domain becomes different.
type DomainChange struct {
	Separator *string `json:"separator,omitempty" doc:"One of + - _ = # ~, or empty for no subaddresses."`
	CatchAll  *string `json:"catch_all,omitempty" doc:"An address of ours, or empty for no catch-all."`
}

// DomainDetails are a domain with its signing keys.
type DomainDetails struct {
	Domain
	Keys []Key `json:"keys"`
}

// Key is a DKIM key without its secret.
type Key struct {
	Selector  string    `json:"selector"`
	Algorithm string    `json:"algorithm" doc:"rsa or ed25519."`
	State     string    `json:"state" doc:"pending, active or retired."`
	Created   time.Time `json:"created"`
	Name      string    `json:"name" doc:"Where the key's record stands in the DNS."`
	Record    string    `json:"record" doc:"The text of the record."`
}

// DNS is what must stand in the DNS for a domain.
type DNS struct {
	Domain  string        `json:"domain"`
	Host    string        `json:"host" doc:"The server's name."`
	Records []zone.Record `json:"records"`
	Zone    string        `json:"zone" doc:"The records as lines of a zone file."`
}

// DNSCheck compares it with what stands there.
type DNSCheck struct {
	Domain  string        `json:"domain"`
	OK      bool          `json:"ok" doc:"Every record is as it should be."`
	Records []zone.Result `json:"records"`
}

// User is a person, or a machine that has mail.
type User struct {
	ID       int64     `json:"id"`
	Address  string    `json:"address"`
	Name     string    `json:"name"`
	Admin    bool      `json:"admin"`
	Disabled bool      `json:"disabled" doc:"A disabled user keeps their mail, gets none, and cannot log in."`
	Quota    int64     `json:"quota" doc:"Bytes; 0 is the setting quota.default, -1 no limit."`
	Created  time.Time `json:"created"`
}

// UserDetails are a user with what belongs to them.
type UserDetails struct {
	User
	PasswordChanged time.Time `json:"password_changed"`
	Aliases         []string  `json:"aliases" doc:"Further addresses that point to the user."`
	Groups          []string  `json:"groups" doc:"Groups that the user is a member of."`
	Grants          []string  `json:"grants" doc:"Addresses that the user may send as beyond their own."`
	UsedBytes       int64     `json:"used_bytes"`
	UsedMessages    int64     `json:"used_messages"`
}

// NewUser is what a user is made from.
type NewUser struct {
	Address  string `json:"address"`
	Name     string `json:"name,omitempty"`
	Password string `json:"password" doc:"At least 8 characters with an uppercase letter, a digit and a symbol."`
	Admin    bool   `json:"admin,omitempty"`
	Quota    int64  `json:"quota,omitempty" doc:"Bytes; 0 is the setting quota.default, -1 no limit."`
}

// UserChange says what of a user becomes different.
type UserChange struct {
	Name     *string `json:"name,omitempty"`
	Admin    *bool   `json:"admin,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
	Quota    *int64  `json:"quota,omitempty" doc:"Bytes; 0 is the setting quota.default, -1 no limit."`
}

// Password is a new password.
type Password struct {
	Password string `json:"password" doc:"At least 8 characters with an uppercase letter, a digit and a symbol."`
}

// Alias is another address of users.
type Alias struct {
	Address string   `json:"address"`
	Targets []string `json:"targets" doc:"The users that it points to."`
}

// Group is an address for many.
type Group struct {
	Address string   `json:"address"`
	Title   string   `json:"title,omitempty"`
	Members []string `json:"members" doc:"Addresses of ours and elsewhere."`
}

// Grant lets a user send as another address.
type Grant struct {
	User string `json:"user"`
	As   string `json:"as"`
}

// QueueFilter chooses recipients in the queue; all that is set must hold.
type QueueFilter struct {
	Messages []string `json:"messages,omitempty" doc:"Ids of messages."`
	Domain   string   `json:"domain,omitempty" doc:"The recipients' domain."`
	From     string   `json:"from,omitempty" doc:"The sender's address."`
	To       string   `json:"to,omitempty" doc:"The recipient's address."`
	Held     *bool    `json:"held,omitempty"`
	After    string   `json:"after,omitempty" doc:"Page on behind this recipient id."`
	Limit    int      `json:"limit,omitempty" doc:"At most this many; 1,000 unless said."`
	All      bool     `json:"all,omitempty" doc:"Changes with no other condition need this, so that a slip does not drop everything."`
}

// QueueEntry is one recipient in the queue.
type QueueEntry struct {
	Message     string    `json:"message" doc:"The message's id."`
	Recipient   string    `json:"recipient" doc:"The recipient's id within the queue."`
	From        string    `json:"from"`
	To          string    `json:"to"`
	Destination string    `json:"destination"`
	Size        int64     `json:"size" doc:"Bytes."`
	Arrived     time.Time `json:"arrived"`
	Expires     time.Time `json:"expires" doc:"When the sender gets the message back."`
	NextAttempt time.Time `json:"next_attempt,omitzero" doc:"Absent while held."`
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	Attempts    int       `json:"attempts"`
	LastHost    string    `json:"last_host,omitempty" doc:"The server that answered last."`
	LastError   string    `json:"last_error,omitempty"`
	Held        bool      `json:"held"`
	Active      bool      `json:"active" doc:"An attempt is under way."`
}

func queueEntry(e queue.Entry) QueueEntry {
	return QueueEntry{Message: e.Message.String(), Recipient: e.Recipient.String(), From: e.From, To: e.To, Destination: e.Destination,
		Size: e.Size, Arrived: e.Arrived, Expires: e.Expires, NextAttempt: e.NextAttempt, LastAttempt: e.LastAttempt,
		Attempts: e.Attempts, LastHost: e.LastHost, LastError: e.LastError, Held: e.Held, Active: e.Active}
}

// QueueMessage is a message in the queue.
type QueueMessage struct {
	ID         string       `json:"id"`
	EnvID      string       `json:"envid,omitempty" doc:"The sender's own id of the message (RFC 3461)."`
	RequireTLS bool         `json:"require_tls"`
	Recipients []QueueEntry `json:"recipients" doc:"Those who have not got it yet."`
}

// QueueChange says how many recipients were changed.
type QueueChange struct {
	Changed int64 `json:"changed"`
}

// Setting is a policy with its documentation.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Changed bool   `json:"changed" doc:"It differs from the default."`
	Kind    string `json:"kind"`
	Unit    string `json:"unit,omitempty"`
	Range   string `json:"range"`
	Doc     string `json:"doc"`
}

func setting(s settings.Setting) Setting { return Setting(s) }

// SettingValue is a new value.
type SettingValue struct {
	Value string `json:"value" doc:"As text, such as 50MiB, 30m, true."`
}

// VerifyEvent is one line of the verification's answer: progress, and at the end the report.
type VerifyEvent struct {
	Done   int           `json:"done"`
	Total  int           `json:"total"`
	Report *VerifyReport `json:"report,omitempty"`
	Error  *Error        `json:"error,omitempty"`
}

// VerifyReport is what reading everything found.
type VerifyReport struct {
	Checked int      `json:"checked"`
	Damage  []Damage `json:"damage"`
}

// Damage is one thing that is not as it was written.
type Damage struct {
	Account int64  `json:"account,omitempty"`
	Mailbox string `json:"mailbox,omitempty"`
	UID     uint32 `json:"uid,omitempty"`
	Blob    int64  `json:"blob,omitempty"`
	What    string `json:"what"`
}

// Check is how the server and its surroundings are.
type Check struct {
	OK       bool             `json:"ok" doc:"Nothing failed."`
	Findings []doctor.Finding `json:"findings"`
}

// Nothing is the answer of what has nothing to say.
type Nothing struct{}
