package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/internal/scripts"
	"postern/sieve"
)

// Filters is what administration needs of what runs the scripts: package filter.
type Filters interface {
	// Check reads a script that an owner is about to keep under a name.
	Check(ctx context.Context, o scripts.Owner, name string, source []byte) (mistakes, warnings sieve.Problems, err error)
}

// ScriptOwner says whose scripts are meant.
type ScriptOwner struct {
	Scope string `json:"scope" doc:"server, a domain or a user's address."`
	Role  string `json:"role,omitempty" doc:"Of the server's and a domain's scripts: before or after, when they are run, changed, for those that are run for what is done in mailboxes, or global, for those that others include. Absent for a user's."`
}

// ScriptName says which script is meant.
type ScriptName struct {
	ScriptOwner
	Name string `json:"name"`
}

// ScriptRename gives a script another name.
type ScriptRename struct {
	ScriptName
	To string `json:"to"`
}

// NewScript is a script to be kept under a name, in place of what was there.
type NewScript struct {
	ScriptName
	Content  string `json:"content"`
	Activate bool   `json:"activate,omitempty" doc:"Make it the one that is run."`
}

// ScriptInfo is a script in a list.
type ScriptInfo struct {
	ScriptName
	Active  bool      `json:"active" doc:"It is the one of its owner and role that is run."`
	Size    int64     `json:"size" doc:"Bytes."`
	Changed time.Time `json:"changed" doc:"When the content was put."`
}

// Script is a script with its content.
type Script struct {
	ScriptInfo
	Content string `json:"content" doc:"As it was put; what is no UTF-8 is replaced."`
}

// StoredScript is a script that was put, with what its writer should know.
type StoredScript struct {
	ScriptInfo
	Warnings []ScriptProblem `json:"warnings"`
}

// CheckedScript is what is wrong with a script, or doubtful.
type CheckedScript struct {
	Mistakes []ScriptProblem `json:"mistakes" doc:"It cannot be kept with any."`
	Warnings []ScriptProblem `json:"warnings"`
}

// ScriptProblem is what is wrong at a place.
type ScriptProblem struct {
	Script string `json:"script,omitempty" doc:"The script, if it is one that this one includes."`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// String is the problem with its place.
func (p ScriptProblem) String() string {
	where := fmt.Sprintf("line %d, column %d", p.Line, p.Column)
	if p.Script != "" {
		where = p.Script + ": " + where
	}
	return where + ": " + p.Text
}

func problems(list sieve.Problems) []ScriptProblem {
	out := make([]ScriptProblem, len(list))
	for i, p := range list {
		out[i] = ScriptProblem{p.Script, p.Line, p.Column, p.Text}
	}
	return out
}

func scriptRoutes() []route {
	return []route{
		in("POST", "/v1/sieve/list", "listScripts", "The scripts of a user, a domain or the server; without a scope those of the server and all domains, without a role those of all.", http.StatusOK, (*Backend).listScripts),
		in("POST", "/v1/sieve/get", "getScript", "A script with its content.", http.StatusOK, (*Backend).getScript),
		in("POST", "/v1/sieve/check", "checkScript", "What would be wrong with a script if it were put.", http.StatusOK, (*Backend).checkScript),
		in("POST", "/v1/sieve/put", "putScript", "Keep a script, in place of what has its name; refused if it has mistakes.", http.StatusOK, (*Backend).putScript),
		in("POST", "/v1/sieve/activate", "activateScript", "Make a script the one that is run.", http.StatusOK, (*Backend).activateScript),
		in("POST", "/v1/sieve/deactivate", "deactivateScript", "Have none run.", http.StatusOK, (*Backend).deactivateScript),
		in("POST", "/v1/sieve/rename", "renameScript", "Give a script another name.", http.StatusOK, (*Backend).renameScript),
		in("POST", "/v1/sieve/delete", "deleteScript", "Remove a script that is not active.", http.StatusOK, (*Backend).deleteScript),
	}
}

// roleNames are the roles of scripts by their names here.
func roleNames() map[string]scripts.Role {
	return map[string]scripts.Role{"before": scripts.Before, "after": scripts.After, "changed": scripts.Changed, "global": scripts.Own}
}

// named is an owner as the API names it.
func (b *Backend) named(o scripts.Owner) ScriptOwner {
	if o.Account != 0 {
		account, _ := b.Directory.Account(o.Account)
		return ScriptOwner{Scope: account.Address.String()}
	}
	n := ScriptOwner{Scope: "server", Role: "global"}
	if o.Domain != "" {
		n.Scope = o.Domain
	}
	if o.Role != scripts.Own {
		n.Role = o.Role.String()
	}
	return n
}

// scope finds whose scripts are meant; the role is looked at by those who need one.
func (b *Backend) scope(s string) (scripts.Owner, error) {
	switch {
	case s == "":
		return scripts.Owner{}, invalid("write server, a domain or a user's address", "it is not said whose scripts are meant")
	case s == "server":
		return scripts.Owner{}, nil
	case strings.Contains(s, "@"):
		u, err := b.user(s)
		return scripts.Of(u.ID), err
	}
	d, ok := b.Directory.Domain(s)
	if !ok {
		return scripts.Owner{}, &Error{"not_found", "there is no domain " + s, "`postern domain list` shows all"}
	}
	return scripts.Owner{Domain: d.Name}, nil
}

// owner finds whose scripts of which role are meant.
func (b *Backend) owner(in ScriptOwner) (scripts.Owner, error) {
	o, err := b.scope(in.Scope)
	if err != nil {
		return o, err
	}
	role, known := roleNames()[in.Role]
	switch {
	case o.Account != 0 && in.Role != "":
		return o, invalid("leave the role out", "a user's scripts have no role, such as %q", in.Role)
	case o.Account == 0 && !known:
		return o, invalid("say before, after, changed or global", "%q is no role of a script of the server or a domain", in.Role)
	}
	o.Role = role
	return o, nil
}

func (b *Backend) listScripts(r request, in ScriptOwner) ([]ScriptInfo, error) {
	var owners []scripts.Owner
	switch o, err := b.scope(in.Scope); {
	case in.Scope == "":
		return b.administratorsScripts(r, in.Role)
	case err != nil:
		return nil, err
	case o.Account == 0 && in.Role == "":
		for _, role := range []scripts.Role{scripts.Before, scripts.After, scripts.Changed, scripts.Own} {
			o.Role = role
			owners = append(owners, o)
		}
	default:
		if o, err = b.owner(in); err != nil {
			return nil, err
		}
		owners = append(owners, o)
	}
	list := []ScriptInfo{}
	for _, o := range owners {
		found, err := b.Scripts.List(r, o)
		if err != nil {
			return nil, err
		}
		for _, info := range found {
			list = append(list, b.scriptInfo(o, info))
		}
	}
	return list, nil
}

// administratorsScripts are those of the server and of all domains, of one role or of all.
func (b *Backend) administratorsScripts(r request, role string) ([]ScriptInfo, error) {
	if _, known := roleNames()[role]; role != "" && !known {
		return nil, invalid("say before, after, changed or global", "%q is no role of a script of the server or a domain", role)
	}
	found, err := b.Scripts.Administrators(r)
	list := []ScriptInfo{}
	for _, one := range found {
		if info := b.scriptInfo(one.Owner, one.Info); role == "" || info.Role == role {
			list = append(list, info)
		}
	}
	return list, err
}

func (b *Backend) scriptInfo(o scripts.Owner, i scripts.Info) ScriptInfo {
	return ScriptInfo{ScriptName{b.named(o), i.Name}, i.Active, i.Size, i.Changed}
}

func (b *Backend) getScript(r request, in ScriptName) (Script, error) {
	o, err := b.owner(in.ScriptOwner)
	if err != nil {
		return Script{}, err
	}
	s, err := b.Scripts.Get(r, o, in.Name)
	if err != nil {
		return Script{}, scriptError(err)
	}
	return Script{b.scriptInfo(o, s.Info), string(s.Content)}, nil
}

func (b *Backend) checkScript(r request, in NewScript) (CheckedScript, error) {
	o, err := b.owner(in.ScriptOwner)
	if err != nil {
		return CheckedScript{}, err
	}
	mistakes, warnings, err := b.Filters.Check(r, o, in.Name, []byte(in.Content))
	return CheckedScript{problems(mistakes), problems(warnings)}, err
}

// putScript checks a script before it is kept, so that a mistake changes nothing.
func (b *Backend) putScript(r request, in NewScript) (StoredScript, error) {
	o, err := b.owner(in.ScriptOwner)
	if err != nil {
		return StoredScript{}, err
	}
	if in.Activate && !runs(o) {
		return StoredScript{}, notRun()
	}
	mistakes, warnings, err := b.Filters.Check(r, o, in.Name, []byte(in.Content))
	if err != nil {
		return StoredScript{}, err
	}
	if len(mistakes) > 0 {
		return StoredScript{}, mistaken(problems(mistakes))
	}
	if err := b.Scripts.Put(r, o, in.Name, []byte(in.Content)); err != nil {
		return StoredScript{}, scriptError(err)
	}
	if in.Activate {
		if err := b.Scripts.SetActive(r, o, in.Name); err != nil {
			return StoredScript{}, scriptError(err)
		}
	}
	b.Log.Info("sieve script stored", "owner", o.String(), "script", in.Name, "bytes", len(in.Content), "activated", in.Activate)
	info, err := b.storedScript(r, o, in.Name)
	return StoredScript{info, problems(warnings)}, err
}

// mistaken refuses a script with what is wrong with it, a line each.
func mistaken(list []ScriptProblem) *Error {
	var text strings.Builder
	text.WriteString("the script has mistakes and is not kept:")
	for _, p := range list {
		text.WriteString("\n  " + p.String())
	}
	return invalid("mend them and put it again", "%s", text.String())
}

// runs reports whether one of an owner's scripts can be the one that is run.
func runs(o scripts.Owner) bool { return o.Account != 0 || o.Role != scripts.Own }

func notRun() *Error {
	return invalid("have another script include them with `include :global`", "global scripts are not run by themselves")
}

// storedScript is what a list would say of a script.
func (b *Backend) storedScript(r request, o scripts.Owner, name string) (ScriptInfo, error) {
	s, err := b.Scripts.Get(r, o, name)
	return b.scriptInfo(o, s.Info), scriptError(err)
}

func (b *Backend) activateScript(r request, in ScriptName) (ScriptInfo, error) {
	o, err := b.owner(in.ScriptOwner)
	if err != nil {
		return ScriptInfo{}, err
	}
	if !runs(o) {
		return ScriptInfo{}, notRun()
	}
	if in.Name == "" {
		return ScriptInfo{}, invalid("name it, or deactivate the one that is active", "it is not said which script is to be run")
	}
	if err := b.Scripts.SetActive(r, o, in.Name); err != nil {
		return ScriptInfo{}, scriptError(err)
	}
	b.Log.Info("sieve script activated", "owner", o.String(), "script", in.Name)
	return b.storedScript(r, o, in.Name)
}

func (b *Backend) deactivateScript(r request, in ScriptOwner) (Nothing, error) {
	o, err := b.owner(in)
	if err != nil {
		return Nothing{}, err
	}
	if !runs(o) {
		return Nothing{}, notRun()
	}
	if err := b.Scripts.SetActive(r, o, ""); err != nil {
		return Nothing{}, scriptError(err)
	}
	b.Log.Info("sieve script deactivated", "owner", o.String())
	return Nothing{}, nil
}

func (b *Backend) renameScript(r request, in ScriptRename) (ScriptInfo, error) {
	o, err := b.owner(in.ScriptOwner)
	if err != nil {
		return ScriptInfo{}, err
	}
	if err := b.Scripts.Rename(r, o, in.Name, in.To); err != nil {
		return ScriptInfo{}, scriptError(err)
	}
	b.Log.Info("sieve script renamed", "owner", o.String(), "script", in.Name, "to", in.To)
	return b.storedScript(r, o, in.To)
}

func (b *Backend) deleteScript(r request, in ScriptName) (Nothing, error) {
	o, err := b.owner(in.ScriptOwner)
	if err != nil {
		return Nothing{}, err
	}
	if err := b.Scripts.Delete(r, o, in.Name); err != nil {
		return Nothing{}, scriptError(err)
	}
	b.Log.Info("sieve script deleted", "owner", o.String(), "script", in.Name)
	return Nothing{}, nil
}

// scriptError gives what the store of scripts refused its code.
func scriptError(err error) error {
	for kind, code := range map[error]string{
		scripts.ErrNotFound: "not_found", scripts.ErrExists: "exists", scripts.ErrActive: "invalid", scripts.ErrName: "invalid",
		scripts.ErrTooMany: "invalid", scripts.ErrTooLarge: "invalid", scripts.ErrNoSpace: "invalid",
	} {
		if errors.Is(err, kind) {
			e := split(code, err)
			first, size := utf8.DecodeRuneInString(e.Message) // the store's words are sentences for users of ManageSieve
			e.Message = string(unicode.ToLower(first)) + e.Message[size:]
			return e
		}
	}
	if errors.Is(err, scripts.ErrDamaged) {
		return &Error{"internal", "the stored script is damaged", "put it anew; `postern verify` names all damage"}
	}
	return err
}

// Scripts lists the scripts of a scope, of one role or of all; without a scope those of the server and of all domains.
func (c *Client) Scripts(ctx context.Context, o ScriptOwner) ([]ScriptInfo, error) {
	return call[[]ScriptInfo](ctx, c, "POST", o, "/v1/sieve/list")
}

// Script gives a script with its content.
func (c *Client) Script(ctx context.Context, n ScriptName) (Script, error) {
	return call[Script](ctx, c, "POST", n, "/v1/sieve/get")
}

// CheckScript tells what would be wrong with a script if it were put.
func (c *Client) CheckScript(ctx context.Context, s NewScript) (CheckedScript, error) {
	return call[CheckedScript](ctx, c, "POST", s, "/v1/sieve/check")
}

// PutScript keeps a script in place of what has its name. One with mistakes is refused.
func (c *Client) PutScript(ctx context.Context, s NewScript) (StoredScript, error) {
	return call[StoredScript](ctx, c, "POST", s, "/v1/sieve/put")
}

// ActivateScript makes a script the one that is run.
func (c *Client) ActivateScript(ctx context.Context, n ScriptName) (ScriptInfo, error) {
	return call[ScriptInfo](ctx, c, "POST", n, "/v1/sieve/activate")
}

// DeactivateScripts has none of an owner's run.
func (c *Client) DeactivateScripts(ctx context.Context, o ScriptOwner) error {
	return c.do(ctx, "POST", o, nil, "/v1/sieve/deactivate")
}

// RenameScript gives a script another name.
func (c *Client) RenameScript(ctx context.Context, n ScriptRename) (ScriptInfo, error) {
	return call[ScriptInfo](ctx, c, "POST", n, "/v1/sieve/rename")
}

// DeleteScript removes a script that is not active.
func (c *Client) DeleteScript(ctx context.Context, n ScriptName) error {
	return c.do(ctx, "POST", n, nil, "/v1/sieve/delete")
}
