package reports

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// postTimeout bounds a report's way by HTTPS.
const postTimeout = 30 * time.Second

// post sends a TLS report by HTTPS (RFC 8460 5.4). The URL is a stranger's: only public addresses are spoken to, and no
// redirect is followed.
func (r *Reporter) post(ctx context.Context, url string, report []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(report))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/tlsrpt+gzip")
	client := http.Client{
		Transport: &http.Transport{
			DialContext: r.dialReachable, TLSClientConfig: &tls.Config{RootCAs: r.o.Roots}, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil
}

// maxTried bounds the addresses of a host that are tried.
const maxTried = 4

// dialReachable connects to a host by an address that may be spoken to. The address that was looked at is the one that is
// dialled, so that a second answer of the DNS cannot lead inside.
func (r *Reporter) dialReachable(ctx context.Context, network, at string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(at)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addrs, err := r.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	reachable := r.o.Reachable
	if reachable == nil {
		reachable = isPublic
	}
	problem := errors.New("the host has no public address, or another port than 443")
	for _, ip := range addrs[:min(len(addrs), maxTried)] {
		to := netip.AddrPortFrom(ip, uint16(port))
		if !reachable(to) {
			continue
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, to.String())
		if err == nil {
			return conn, nil
		}
		problem = err
	}
	return nil, problem
}

func (r *Reporter) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	answer, err := r.o.Resolver.LookupHost(ctx, host)
	return answer.Values, err
}

// isPublic reports whether an address is one of the world's, and the port that of HTTPS: not this machine, not its
// networks, not what leads to either by translation.
func isPublic(at netip.AddrPort) bool {
	ip := at.Addr().Unmap()
	if at.Port() != 443 || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, special := range [...]string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "2001:db8::/32", "2002::/16", "2001::/23", "100::/64"} {
		if netip.MustParsePrefix(special).Contains(ip) {
			return false
		}
	}
	return true
}
