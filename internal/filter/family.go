package filter

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"postern/internal/scripts"
	"postern/sieve"
)

// home is where the scripts that another includes are looked for. Personal ones are the owner's own; those of a domain or the
// server are, for those of their scripts that run by themselves, the ones that they have for all. Global ones are those of the
// domain, and where it has none of the name, the server's.
type home struct {
	owner  scripts.Owner
	domain string
}

// homeOf is that of an owner's scripts, where mail to the domain's people is concerned. What the server has run is not for a domain
// to change.
func homeOf(o scripts.Owner, domain string) home {
	if o.Account == 0 {
		domain = o.Domain
	}
	o.Role = scripts.Own
	return home{o, domain}
}

// shelves are the owners of scripts that may be meant, the first before the others.
func (h home) shelves(global bool) []scripts.Owner {
	switch {
	case !global:
		return []scripts.Owner{h.owner}
	case h.domain == "":
		return []scripts.Owner{{}}
	}
	return []scripts.Owner{{Domain: h.domain}, {}}
}

// age is the generation of all that can be included from a home.
type age [3]scripts.Generation

func (f *Filters) ageOf(h home) age {
	return age{f.Scripts.Generation(h.owner), f.Scripts.Generation(scripts.Owner{Domain: h.domain}), f.Scripts.Generation(scripts.Owner{})}
}

// relative names a script that another includes, as that one does.
type relative struct {
	name   string
	global bool
}

// member is such a script.
type member struct {
	owner   scripts.Owner
	name    string // as the owner calls it
	version scripts.Version
}

// familyVersion is another whenever a script, or one that it includes, is.
func familyVersion(v scripts.Version, members map[relative]member) scripts.Version {
	if len(members) == 0 {
		return v
	}
	versions := []string{string(v[:])}
	for _, m := range members {
		versions = append(versions, string(m.version[:]))
	}
	slices.Sort(versions[1:])
	return scripts.Version(markOf(versions...))
}

// library gives the scripts that one includes while it is compiled, and notes which these are.
type library struct {
	filters *Filters
	ctx     context.Context
	home    home
	members map[relative]member
	asked   bool
	bytes   int
	// trouble is why one could not be read, so that nothing is known of it.
	trouble error
	// draft is a script that is not stored yet, and stands in the place of what is.
	draft *draft
}

type draft struct {
	owner  scripts.Owner
	name   string
	source []byte
}

// include gives the text of a script; the error is fs.ErrNotExist where there is none.
func (l *library) include(name string, global bool) ([]byte, error) {
	l.asked = true
	for _, o := range l.home.shelves(global) {
		clean, content, err := l.read(o, name)
		switch {
		case errors.Is(err, scripts.ErrNotFound) || errors.Is(err, scripts.ErrName):
			continue
		case errors.Is(err, scripts.ErrDamaged):
			return nil, err
		case err != nil:
			l.trouble = err
			return nil, err
		}
		if l.members == nil {
			l.members = map[relative]member{}
		}
		l.members[relative{name, global}] = member{o, clean, scripts.VersionOf(content)}
		l.bytes += len(content)
		return content, nil
	}
	return nil, fs.ErrNotExist
}

// read gives an owner's script, and its name as the owner has it.
func (l *library) read(o scripts.Owner, name string) (string, []byte, error) {
	if d := l.draft; d != nil && d.owner == o {
		if clean, err := scripts.CleanName(name); err == nil && clean == d.name {
			return clean, d.source, nil
		}
	}
	s, err := l.filters.Scripts.Get(l.ctx, o, name)
	return s.Name, s.Content, err
}

// ready gives a script ready to run, with those that it includes. The error is for trouble: what is wrong with the script is in what
// it gives.
func (f *Filters) ready(ctx context.Context, h home, label string, v scripts.Version, source []byte) (*ready, error) {
	alone, kin := readyKey{label: label, version: v}, readyKey{label, v, h}
	r := f.compiled.find(alone, age{})
	if r != nil && !r.includes {
		return r, nil
	}
	now := f.ageOf(h) // before anything is read, so that what is read is not older
	if r != nil {
		if r = f.compiled.find(kin, now); r != nil {
			return r, nil
		}
	}
	l := &library{filters: f, ctx: ctx, home: h}
	script, err := compile(label, source, l.include)
	if l.trouble != nil {
		return nil, l.trouble
	}
	r = &ready{key: alone, script: script, err: err, bytes: compiledBytes + compiledFactor*(len(source)+l.bytes)}
	if l.asked {
		f.compiled.put(&ready{key: alone, includes: true, bytes: compiledBytes})
		r.key, r.age, r.members = kin, now, l.members
	}
	f.compiled.put(r)
	return r, nil
}

// Check reads a script that an owner is about to keep under a name, "" for none yet, with all that it includes. Mistakes are why it
// cannot be kept; what is wrong with scripts that it includes is a warning (RFC 6609 3.2). The error is for trouble on our side.
func (f *Filters) Check(ctx context.Context, o scripts.Owner, name string, source []byte) (mistakes, warnings sieve.Problems, err error) {
	l := &library{filters: f, ctx: ctx, home: homeOf(o, f.domainOf(o.Account))}
	if clean, err := scripts.CleanName(name); err == nil && o.Role == scripts.Own {
		l.draft = &draft{o, clean, source}
	}
	s, err := sieve.Compile(source, sieve.Options{Edits: Edits(f.Protected()), Include: l.include, Lenient: true})
	if l.trouble != nil {
		return nil, nil, l.trouble
	}
	if errors.As(err, &mistakes) {
		return mistakes, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return nil, s.Warnings, nil
}

// domainOf is the domain of an account's own address, "" for no account.
func (f *Filters) domainOf(account int64) string {
	if account == 0 {
		return ""
	}
	own := f.Addresses(account)
	if len(own) == 0 {
		return ""
	}
	return own[0][strings.LastIndexByte(own[0], '@')+1:]
}
