package proxyproto

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// pair gives the two ends of a connection.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestOnlyATrustedProxyNamesTheEnds(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	named := Header{netip.MustParseAddrPort("192.0.2.1:51000"), netip.MustParseAddrPort("198.51.100.7:25")}
	for name, test := range map[string]struct {
		trusted    []netip.Prefix
		sent, left string
		own        bool
		err        error
	}{
		"a proxy":                    {loopback, "PROXY TCP4 192.0.2.1 198.51.100.7 51000 25\r\nrest", "rest", false, nil},
		"a proxy for itself":         {loopback, "PROXY UNKNOWN\r\nrest", "rest", true, nil},
		"a proxy without header":     {loopback, "EHLO client.example\r\n", "", true, ErrHeader},
		"a proxy that says nothing":  {loopback, "", "", true, os.ErrDeadlineExceeded},
		"somebody":                   {elsewhere, "PROXY TCP4", "PROXY TCP4", true, nil},
		"somebody, without a proxy":  {nil, "EHLO", "EHLO", true, nil},
		"somebody who says nothing":  {nil, "", "", true, nil},
		"a proxy that says too much": {loopback, "PROXY TCP4 192.0.2.1 198.51.100.7 51000 25 more\r\n", "", true, ErrHeader},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			want := named
			if test.own {
				want = Header{client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()}
			}
			if _, err := io.WriteString(client, test.sent); err != nil {
				t.Fatal(err)
			}
			patience := 10 * time.Second
			if test.err == os.ErrDeadlineExceeded {
				patience = 10 * time.Millisecond
			}
			got, err := Ends(server, test.trusted, patience)
			if got != want || !errors.Is(err, test.err) {
				t.Fatalf("%v, %v; want %v, %v", got, err, want, test.err)
			}
			if test.err != nil {
				return
			}
			client.Close()
			if rest, err := io.ReadAll(server); string(rest) != test.left || err != nil {
				t.Errorf("left %q, %v; want %q", rest, err, test.left)
			}
		})
	}
}

func TestAddressesHaveNoMappedFormAndNoZone(t *testing.T) {
	for _, test := range []struct {
		in   net.Addr
		want netip.AddrPort
	}{
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1").To16(), Port: 25}, netip.MustParseAddrPort("192.0.2.1:25")},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 25, Zone: "eth0"}, netip.MustParseAddrPort("[fe80::1]:25")},
		{&net.UnixAddr{Name: "pipe"}, netip.AddrPort{}},
	} {
		if got := addrPort(test.in); got != test.want {
			t.Errorf("%v: %v, want %v", test.in, got, test.want)
		}
	}
}
