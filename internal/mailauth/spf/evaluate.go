package spf

import (
	"context"
	"errors"

	"postern/internal/resolver"
)

// evaluation is one run of check_host(), records included or redirected to being parts of it.
type evaluation struct {
	Query
	ctx      context.Context
	resolver Resolver

	lookups, voids int
	validated      []string // names of the client, once asked for
	asked          bool
}

// outcome is what a record says.
type outcome struct {
	result Result
	cause  error
	term   string // of the record at the top that decided
	exp    macroString
	domain string // whose record holds exp
}

func permanent(cause error) outcome { return outcome{result: PermError, cause: cause} }

// failed is the outcome of a question that got no answer.
func failed(err error) outcome {
	if errors.Is(err, ErrBudget) {
		return permanent(err)
	}
	return outcome{result: TempError, cause: err}
}

var (
	errLookups = errors.New("more than 10 terms ask the DNS")
	errVoid    = errors.New("more than 2 questions to the DNS have no answer")
)

// host evaluates the record of a domain (RFC 7208 4.4 to 4.7).
func (e *evaluation) host(domain string) outcome {
	answer, err := e.resolver.TXT(e.ctx, domain)
	if err != nil && !resolver.IsNotFound(err) {
		return failed(err)
	}
	text, err := selectRecord(answer.Values)
	if err != nil {
		return permanent(err)
	}
	if text == "" {
		return outcome{result: None}
	}
	r, err := e.Records.Read(text, parseRecord)
	if err != nil {
		return permanent(err)
	}
	return e.evaluate(r, domain)
}

func (e *evaluation) evaluate(r *record, domain string) outcome {
	for i := range r.directives {
		d := &r.directives[i]
		matches, problem := e.matches(d, domain)
		if problem != nil {
			problem.term = d.text
			return *problem
		}
		if matches {
			return outcome{result: d.result, term: d.text, exp: r.exp, domain: domain}
		}
	}
	if r.redirect == nil {
		return outcome{result: Neutral, term: "default"} // RFC 7208 4.7
	}
	return e.redirect(r.redirect, domain)
}

// redirect goes on with another domain's record, explanation included (RFC 7208 6.1).
func (e *evaluation) redirect(spec macroString, domain string) outcome {
	if e.lookups++; e.lookups > maxLookups {
		return permanent(errLookups)
	}
	name, ok := e.name(spec, domain)
	if !ok {
		return permanent(errors.New("redirect= leads to what is no domain"))
	}
	o := e.host(name)
	if o.result == None {
		return permanent(errors.New("redirect= leads to a domain without an SPF record"))
	}
	return o
}

// matches tries one directive; problem is what ends the whole evaluation.
func (e *evaluation) matches(d *directive, domain string) (match bool, problem *outcome) {
	switch d.kind {
	case all:
		return true, nil
	case network:
		return d.network.Contains(e.Client), nil
	}
	if e.lookups++; e.lookups > maxLookups {
		return false, &outcome{result: PermError, cause: errLookups}
	}
	name, ok := e.name(d.spec, domain)
	if !ok {
		return false, nil // RFC 7208 4.8 leaves it open; it is taken as a name that does not exist
	}
	switch d.kind {
	case include:
		return e.includes(name)
	case addresses:
		return e.hasAddress(name, d)
	case exchangers:
		return e.hasExchanger(name, d)
	case pointer:
		return e.isNamed(name), nil
	default:
		return e.existsName(name)
	}
}

// includes evaluates another record, of which only a pass counts (RFC 7208 5.2).
func (e *evaluation) includes(name string) (bool, *outcome) {
	o := e.host(name)
	switch o.result {
	case Pass:
		return true, nil
	case Fail, SoftFail, Neutral:
		return false, nil
	case None:
		return false, &outcome{result: PermError, cause: errors.New("include: leads to a domain without an SPF record")}
	default:
		return false, &o
	}
}

// void judges the error of a question: nil when the term just does not match.
func (e *evaluation) void(err error) *outcome {
	if !resolver.IsNotFound(err) {
		o := failed(err)
		return &o
	}
	if e.voids++; e.voids > maxVoid {
		return &outcome{result: PermError, cause: errVoid}
	}
	return nil
}
