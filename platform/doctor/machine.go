package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Permissions: nobody but the owner may look into the data.
func Permissions(_ context.Context, p Patient) []Finding {
	var list []Finding
	for _, path := range []string{p.Config.Data, filepath.Join(p.Config.Data, "postern.db"), filepath.Join(p.Config.Data, "secret.key"),
		p.Config.Blobs, filepath.Join(p.Config.Data, "tls")} {
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
