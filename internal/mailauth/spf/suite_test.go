package spf_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"postern/internal/mailauth/spf"
	"postern/internal/resolver"
	"postern/internal/testenv"
)

// document is one YAML document of the suite.
type document struct {
	Description string                 `yaml:"description"`
	Tests       map[string]suiteCase   `yaml:"tests"`
	Zone        map[string][]yaml.Node `yaml:"zonedata"`
}

type suiteCase struct {
	Helo        string    `yaml:"helo"`
	Host        string    `yaml:"host"`
	MailFrom    string    `yaml:"mailfrom"`
	Result      oneOrMore `yaml:"result"`
	Explanation *string   `yaml:"explanation"`
}

// oneOrMore is a string, or a list of them.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(o))
	}
	*o = []string{n.Value}
	return nil
}

// TestSPFSuite runs every case of every document of the suite's folder.
func TestSPFSuite(t *testing.T) {
	files := testenv.Files(t, testenv.Testdata(t, "spf-rfc7208"), ".yml", ".yaml")
	ran := 0
	for _, file := range files {
		for _, doc := range documents(t, file) {
			z := newZone(t, doc.Zone)
			t.Run(strings.ReplaceAll(doc.Description, " ", "_"), func(t *testing.T) {
				for name, c := range doc.Tests {
					ran++
					t.Run(name, func(t *testing.T) { c.run(t, z) })
				}
			})
		}
	}
	if ran == 0 {
		t.Fatal("the folder holds no case")
	}
	t.Logf("%d cases of %d files", ran, len(files))
}

func documents(t *testing.T, file string) []document {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []document
	for d := yaml.NewDecoder(f); ; {
		var doc document
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, doc)
	}
}

func (c suiteCase) run(t *testing.T, z zone) {
	q := spf.Query{
		Client: netip.MustParseAddr(c.Host), Helo: c.Helo, Local: "postmaster", Domain: c.Helo,
		Receiver: "mx.example.test", Now: time.Now(),
	}
	if at := strings.LastIndexByte(c.MailFrom, '@'); at >= 0 {
		q.Local, q.Domain = c.MailFrom[:at], c.MailFrom[at+1:]
	} else if c.MailFrom != "" {
		q.Domain = c.MailFrom
	}
	a := spf.Check(context.Background(), z, q)
	if !slices.Contains(c.Result, string(a.Result)) {
		t.Errorf("%s (%s, %v), want %v", a.Result, a.Mechanism, a.Cause, c.Result)
	}
	if c.Explanation == nil || a.Result != spf.Fail {
		return
	}
	want := *c.Explanation
	if want == "DEFAULT" {
		want = "" // ours: the domain says nothing
	}
	if a.Explanation != want {
		t.Errorf("explanation %q, want %q", a.Explanation, want)
	}
}

// zone answers from a document's zonedata as the DNS would: by name without regard to case, aliases followed.
type zone map[string]*node

type node struct {
	texts, pointers []string
	hosts           []netip.Addr
	exchangers      []resolver.MX
	alias           string
	held            map[string]bool // the types that have records
	timeout         bool            // every other type times out
}

func newZone(t *testing.T, data map[string][]yaml.Node) zone {
	t.Helper()
	z := zone{}
	for name, records := range data {
		n := &node{held: map[string]bool{}}
		var old []string // of the type SPF
		for _, r := range records {
			if r.Kind == yaml.ScalarNode {
				n.timeout = n.timeout || r.Value == "TIMEOUT"
				continue
			}
			for i := 0; i+1 < len(r.Content); i += 2 {
				if err := n.add(r.Content[i].Value, r.Content[i+1], &old); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		if !n.held["TXT"] && len(old) > 0 {
			n.texts, n.held["TXT"] = old, true
		}
		z[strings.ToLower(name)] = n
	}
	return z
}

func (n *node) add(kind string, value *yaml.Node, old *[]string) error {
	if kind == "SPF" {
		*old = append(*old, joined(value))
		return nil
	}
	n.held[kind] = true
	if value.Value == "NONE" { // the type is there and empty
		return nil
	}
	switch kind {
	case "TXT":
		n.texts = append(n.texts, joined(value))
	case "PTR":
		n.pointers = append(n.pointers, strings.TrimSuffix(value.Value, "."))
	case "CNAME":
		n.alias = value.Value
	case "A", "AAAA":
		ip, err := netip.ParseAddr(value.Value)
		n.hosts = append(n.hosts, ip)
		return err
	case "MX":
		mx := resolver.MX{Host: strings.TrimSuffix(value.Content[1].Value, ".")}
		if mx.Host == "" {
			mx.Host = "."
		}
		n.exchangers = append(n.exchangers, mx)
	default:
		return fmt.Errorf("a record of type %q", kind)
	}
	return nil
}

// joined are the strings of a text record.
func joined(value *yaml.Node) string {
	if value.Kind == yaml.SequenceNode {
		var b strings.Builder
		for _, c := range value.Content {
			b.WriteString(latin1(c.Value))
		}
		return b.String()
	}
	return latin1(value.Value)
}

// latin1 undoes what YAML does to "\xEF": the suite means bytes.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

var errTimeout = fmt.Errorf("timed out: %w", resolver.ErrTemporary)

func (z zone) at(name, kind string) (*node, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for range 10 {
		n := z[name]
		switch {
		case n == nil:
			return nil, resolver.ErrNoDomain
		case n.alias != "":
			name = strings.ToLower(strings.TrimSuffix(n.alias, "."))
			continue
		case n.timeout && (!n.held[kind] || kind == "TXT" && len(n.texts) == 0):
			return nil, errTimeout
		}
		return n, nil
	}
	return nil, errTimeout
}

func answer[T any](values []T, err error) (resolver.Answer[T], error) {
	if err == nil && len(values) == 0 {
		err = resolver.ErrNoData
	}
	return resolver.Answer[T]{Values: values}, err
}

func (z zone) TXT(_ context.Context, name string) (resolver.Answer[string], error) {
	n, err := z.at(name, "TXT")
	if err != nil {
		return resolver.Answer[string]{}, err
	}
	return answer(n.texts, nil)
}

func (z zone) MX(_ context.Context, name string) (resolver.Answer[resolver.MX], error) {
	n, err := z.at(name, "MX")
	if err != nil {
		return resolver.Answer[resolver.MX]{}, err
	}
	return answer(n.exchangers, nil)
}

func (z zone) LookupA(_ context.Context, name string) (resolver.Answer[netip.Addr], error) {
	return z.addresses(name, "A", netip.Addr.Is4)
}

func (z zone) LookupAAAA(_ context.Context, name string) (resolver.Answer[netip.Addr], error) {
	return z.addresses(name, "AAAA", netip.Addr.Is6)
}

func (z zone) addresses(name, kind string, is func(netip.Addr) bool) (resolver.Answer[netip.Addr], error) {
	n, err := z.at(name, kind)
	if err != nil {
		return resolver.Answer[netip.Addr]{}, err
	}
	var list []netip.Addr
	for _, ip := range n.hosts {
		if is(ip) {
			list = append(list, ip)
		}
	}
	return answer(list, nil)
}

func (z zone) LookupPTR(_ context.Context, ip netip.Addr) (resolver.Answer[string], error) {
	n, err := z.at(reverse(ip), "PTR")
	if err != nil {
		return resolver.Answer[string]{}, err
	}
	return answer(n.pointers, nil)
}

// reverse is the name of an address under arpa.
func reverse(ip netip.Addr) string {
	var labels []string
	if ip.Is4() {
		for _, b := range ip.As4() {
			labels = append(labels, fmt.Sprint(b))
		}
		slices.Reverse(labels)
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	for _, b := range ip.As16() {
		labels = append(labels, fmt.Sprintf("%x", b>>4), fmt.Sprintf("%x", b&15))
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".") + ".ip6.arpa"
}
