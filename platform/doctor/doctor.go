// Package doctor looks at what a mail server needs around it and says, for each thing, whether it is well and what to do
// if it is not.
//
// `postern check` ends here. Each examination is a function that yields findings and changes nothing; [Examine] runs
// those that apply, within a time, and gives all findings in a fixed order.
package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"postern/internal/config"
	"postern/internal/resolver"
	"postern/platform/zone"
)

// Level is how a finding is to be taken.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warning"
	Fail Level = "failure"
)

// Finding is one thing that was looked at.
type Finding struct {
	Subject string `json:"subject" doc:"What was looked at, such as dns example.org or port smtp."`
	Level   Level  `json:"level" doc:"ok, warning or failure."`
	What    string `json:"what" doc:"What was found."`
	Fix     string `json:"fix,omitempty" doc:"How to mend it."`
}

func ok(subject, what string, args ...any) Finding {
	return Finding{subject, OK, fmt.Sprintf(what, args...), ""}
}

func warn(subject, fix, what string, args ...any) Finding {
	return Finding{subject, Warn, fmt.Sprintf(what, args...), fix}
}

func fail(subject, fix, what string, args ...any) Finding {
	return Finding{subject, Fail, fmt.Sprintf(what, args...), fix}
}

// Resolver is what examining needs of the DNS.
type Resolver interface {
	zone.Resolver
	LookupHost(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
	LookupPTR(ctx context.Context, ip netip.Addr) (resolver.Answer[string], error)
}

// Patient is the server that is examined.
type Patient struct {
	Config *config.Config
	// Domains are the records that each mail domain should have.
	Domains map[string][]zone.Record
	DNS     Resolver
	// Leaf is the certificate in use, CA the file of our own authority when it is self-made.
	Leaf *x509.Certificate
	CA   string
	Now  time.Time
	// Oldest is when the oldest message in the queue arrived, zero for none; Waiting their number.
	Oldest  time.Time
	Waiting int64
	// Alerts are troubles that the running server has met.
	Alerts []Alert
}

// Alert is a trouble that the running server has met.
type Alert struct{ Title, Text string }

// within is how long an examination may take: answers that come later than this are trouble too.
const within = 15 * time.Second

// Examine runs every examination.
func Examine(ctx context.Context, p Patient) []Finding {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	examinations := []func(context.Context, Patient) []Finding{Permissions, Disk, Clock, Certificate, Ports, Host, DNS, Queue, Troubles}
	findings := make([][]Finding, len(examinations))
	var running sync.WaitGroup
	for i, examine := range examinations {
		running.Go(func() { findings[i] = examine(ctx, p) })
	}
	running.Wait()
	return slices.Concat(findings...)
}

// Permissions: nobody but the owner may look into the data.
func Permissions(_ context.Context, p Patient) []Finding {
	var list []Finding
	for _, path := range []string{p.Config.Data, filepath.Join(p.Config.Data, "postern.db"), p.Config.Blobs, filepath.Join(p.Config.Data, "tls")} {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			list = append(list, fail("permissions "+path, "give it to the server's user", "%v", err))
		case info.Mode().Perm()&0o077 != 0:
			list = append(list, fail("permissions "+path, "chmod go= "+path, "others may read it (%s)", info.Mode().Perm()))
		}
	}
	if p.Config.TLSKey != "" {
		if info, err := os.Stat(p.Config.TLSKey); err == nil && info.Mode().Perm()&0o007 != 0 {
			list = append(list, fail("permissions "+p.Config.TLSKey, "chmod o= "+p.Config.TLSKey, "anybody may read the private key"))
		}
	}
	if list == nil {
		list = append(list, ok("permissions", "nobody else may read %s", p.Config.Data))
	}
	return list
}

// Bounds of free space: below the first mail will soon be refused, below the second it is worth a look.
const (
	littleSpace = 1 << 30
	lowSpace    = 10 // percent
)

// Disk: there is room for mail.
func Disk(_ context.Context, p Patient) []Finding {
	var list []Finding
	seen := make(map[[2]int32]bool)
	for _, path := range []string{p.Config.Data, p.Config.Blobs} {
		var fs unix.Statfs_t
		if err := unix.Statfs(path, &fs); err != nil || seen[fs.Fsid.Val] {
			continue
		}
		seen[fs.Fsid.Val] = true
		free, total := fs.Bavail*uint64(fs.Bsize), fs.Blocks*uint64(fs.Bsize)
		what := fmt.Sprintf("%.1f GiB of %.1f GiB are free", float64(free)/(1<<30), float64(total)/(1<<30))
		subject := "disk " + path
		const fix = "make room or give it a larger disk: mail is refused (452) when it is full"
		switch {
		case free < littleSpace || fs.Files > 0 && fs.Ffree == 0:
			list = append(list, fail(subject, fix, "%s", what))
		case free*100 < total*lowSpace:
			list = append(list, warn(subject, fix, "%s", what))
		default:
			list = append(list, ok(subject, "%s", what))
		}
	}
	return list
}

// Clock: signatures, certificates and retries need the right time.
func Clock(_ context.Context, p Patient) []Finding {
	var t unix.Timex
	const fix = "run a time service, such as systemd-timesyncd or chrony"
	state, err := unix.Adjtimex(&t)
	switch {
	case p.Leaf != nil && p.Now.Before(p.Leaf.NotBefore):
		return []Finding{fail("clock", fix, "it is before the certificate's first day: %s", p.Now.Format(time.RFC1123))}
	case err != nil:
		return []Finding{warn("clock", fix, "the kernel does not tell whether it is kept: %v", err)}
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return []Finding{warn("clock", fix, "no time service keeps it: %s", p.Now.Format(time.RFC1123))}
	}
	return []Finding{ok("clock", "it is kept by a time service: %s", p.Now.Format(time.RFC1123))}
}

// Certificate: it names the server and does not run out.
func Certificate(_ context.Context, p Patient) []Finding {
	if p.Leaf == nil {
		return nil
	}
	left := p.Leaf.NotAfter.Sub(p.Now)
	until := p.Leaf.NotAfter.Format(time.DateOnly)
	if p.CA != "" {
		return []Finding{warn("certificate", "give clients "+p.CA+", or get a certificate from a public authority and name it in [tls]",
			"Postern made it itself, until %s; clients that do not know its authority will complain", until)}
	}
	switch {
	case left < 0:
		return []Finding{fail("certificate", "renew "+p.Config.TLSCert, "it ran out on %s", until)}
	case p.Leaf.VerifyHostname(p.Config.Hostname) != nil:
		return []Finding{fail("certificate", "get one for "+p.Config.Hostname, "it does not name %s but %s", p.Config.Hostname, strings.Join(p.Leaf.DNSNames, ", "))}
	case left < 14*24*time.Hour:
		return []Finding{warn("certificate", "renew "+p.Config.TLSCert+"; see why that did not happen by itself", "it runs out on %s", until)}
	}
	return []Finding{ok("certificate", "for %s by %s until %s", strings.Join(p.Leaf.DNSNames, ", "), p.Leaf.Issuer.CommonName, until)}
}

// Ports: every service answers at every address.
func Ports(ctx context.Context, p Patient) []Finding {
	var list []Finding
	for _, service := range config.Services() {
		for _, a := range p.Config.Listen[service.Name] {
			for _, target := range targets(a) {
				list = append(list, port(ctx, service.Name, target))
			}
		}
	}
	return list
}

// targets are the addresses at which to knock: all addresses means both of this machine's own.
func targets(a config.Address) []netip.AddrPort {
	switch {
	case a.Port == 0:
		return nil // the system chose it, and only the server knows
	case !a.IP.IsValid():
		list := []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port)}
		if HasIPv6() {
			list = append(list, netip.AddrPortFrom(netip.IPv6Loopback(), a.Port))
		}
		return list
	case a.IP == netip.IPv4Unspecified():
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port)}
	case a.IP == netip.IPv6Unspecified():
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), a.Port)}
	case a.IP == netip.IPv6Loopback() && !HasIPv6():
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(a.IP, a.Port)}
}

// HasIPv6 reports whether this machine has its IPv6 loopback address.
func HasIPv6() bool {
	l, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func port(ctx context.Context, service string, target netip.AddrPort) Finding {
	subject := "port " + service + " " + target.String()
	const fix = "see the server's log, and whether a firewall on this machine is in the way"
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", target.String())
	if err != nil {
		return fail(subject, fix, "does not answer: %v", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if service == "submissions" || service == "imaps" {
		// The certificate is examined elsewhere.
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if err := secure.HandshakeContext(ctx); err != nil {
			return fail(subject, fix, "does not speak TLS: %v", err)
		}
		return ok(subject, "answers with %s", tls.VersionName(secure.ConnectionState().Version))
	}
	return ok(subject, "answers")
}

// Host: the server's name leads to an address, and the address back to the name.
func Host(ctx context.Context, p Patient) []Finding {
	if p.DNS == nil {
		return nil
	}
	host := p.Config.Hostname
	subject := "dns " + host
	addresses, err := p.DNS.LookupHost(ctx, host)
	switch {
	case err != nil && !resolver.IsNotFound(err):
		return []Finding{warn(subject, "check [dns] servers in postern.toml", "the DNS does not answer: %v", err)}
	case err != nil:
		return []Finding{fail(subject, "add A and AAAA records with the server's public addresses", "the server's name has no address")}
	}
	var list []Finding
	for _, ip := range addresses.Values {
		names, err := p.DNS.LookupPTR(ctx, ip)
		same := func(name string) bool { return strings.EqualFold(strings.TrimSuffix(name, "."), host) }
		switch fix := "ask whoever gave you the address for a PTR record that says " + host; {
		case err != nil && !resolver.IsNotFound(err):
			list = append(list, warn(subject, "try again", "whether %s has a name is not known: %v", ip, err))
		case err != nil:
			list = append(list, fail(subject, fix, "%s has no name (PTR); many servers refuse mail from it", ip))
		case !slices.ContainsFunc(names.Values, same):
			list = append(list, fail(subject, fix, "%s is named %s; many servers refuse mail from it", ip, strings.Join(names.Values, ", ")))
		default:
			list = append(list, ok(subject, "%s, and back", ip))
		}
	}
	return list
}

// DNS: the records of every domain.
func DNS(ctx context.Context, p Patient) []Finding {
	if p.DNS == nil {
		return nil
	}
	var list []Finding
	names := make([]string, 0, len(p.Domains))
	for name := range p.Domains {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		list = append(list, warn("domains", "add one with `postern domain add NAME`", "there is no mail domain yet"))
	}
	for _, name := range names {
		subject := "dns " + name
		wrong := 0
		for _, r := range zone.Check(ctx, p.DNS, p.Domains[name]) {
			if r.State == zone.OK {
				continue
			}
			wrong++
			what := fmt.Sprintf("%s %s is %s", r.Type, r.Name, r.State)
			if r.State == zone.Unknown || r.Type == "SRV" {
				list = append(list, warn(subject, r.Fix, "%s", what))
			} else {
				list = append(list, fail(subject, r.Fix+": `postern domain dns print "+name+"`", "%s", what))
			}
		}
		if wrong == 0 {
			list = append(list, ok(subject, "all %d records stand", len(p.Domains[name])))
		}
	}
	return list
}

// oldMail is when waiting mail is worth a look: the sender is told at about this time too.
const oldMail = 4 * time.Hour

// Queue: mail leaves.
func Queue(_ context.Context, p Patient) []Finding {
	switch {
	case p.Waiting == 0:
		return []Finding{ok("queue", "nothing waits")}
	case p.Now.Sub(p.Oldest) > oldMail:
		return []Finding{warn("queue", "see `postern queue list` for the reasons", "%d recipients wait, the oldest for %s", p.Waiting, p.Now.Sub(p.Oldest).Round(time.Minute))}
	}
	return []Finding{ok("queue", "%d recipients wait, the oldest for %s", p.Waiting, p.Now.Sub(p.Oldest).Round(time.Second))}
}

// Troubles: what the running server has met.
func Troubles(_ context.Context, p Patient) []Finding {
	var list []Finding
	for _, a := range p.Alerts {
		list = append(list, Finding{Subject: "alert", Level: Warn, What: a.Title, Fix: a.Text})
	}
	return list
}
