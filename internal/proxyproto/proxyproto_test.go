package proxyproto

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	peer "github.com/pires/go-proxyproto"
)

func TestHeadersOfVersion1(t *testing.T) {
	for _, test := range []struct {
		line, source, destination string
		bad                       bool
	}{
		{line: "PROXY TCP4 192.0.2.1 198.51.100.7 51000 25\r\n", source: "192.0.2.1:51000", destination: "198.51.100.7:25"},
		{line: "PROXY TCP6 2001:db8::1 2001:db8::25 51000 25\r\n", source: "[2001:db8::1]:51000", destination: "[2001:db8::25]:25"},
		{line: "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::25 1 25\r\n", source: "192.0.2.1:1", destination: "[2001:db8::25]:25"},
		{line: "PROXY UNKNOWN\r\n"},
		{line: "PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n"},
		{line: "PROXY TCP4 2001:db8::1 198.51.100.7 51000 25\r\n", bad: true},
		{line: "PROXY TCP6 192.0.2.1 198.51.100.7 51000 25\r\n", bad: true},
		{line: "PROXY TCP6 fe80::1%eth0 2001:db8::25 1 25\r\n", bad: true},
		{line: "PROXY UDP4 192.0.2.1 198.51.100.7 51000 25\r\n", bad: true},
		{line: "PROXY TCP4 192.0.2.1 198.51.100.7 65536 25\r\n", bad: true},
		{line: "PROXY TCP4 192.0.2.1 198.51.100.7 051 25\r\n", bad: true},
		{line: "PROXY TCP4 192.0.2.1 198.51.100.7 51000\r\n", bad: true},
		{line: "PROXY TCP4 192.0.2.1  198.51.100.7 51000 25\r\n", bad: true},
		{line: "PROXY TCP4 192.0.2.1 198.51.100.7 51000 25\n" + strings.Repeat("x", 200), bad: true},
		{line: "PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n", bad: true},
		{line: "EHLO client.example\r\n", bad: true},
		{line: "proxy TCP4 192.0.2.1 198.51.100.7 1 25\r\n", bad: true},
	} {
		in := strings.NewReader(test.line + "rest")
		h, err := Read(iotest.OneByteReader(in))
		if test.bad {
			if !errors.Is(err, ErrHeader) {
				t.Errorf("%q: error %v, want ErrHeader", test.line, err)
			}
			continue
		}
		check(t, test.line, h, err, test.source, test.destination)
		if rest, _ := io.ReadAll(in); string(rest) != "rest" {
			t.Errorf("%q: left %q, want exactly what follows the header", test.line, rest)
		}
	}
}

func check(t *testing.T, name string, h Header, err error, source, destination string) {
	t.Helper()
	if err != nil {
		t.Errorf("%q: %v", name, err)
	}
	want := Header{}
	if source != "" {
		want = Header{netip.MustParseAddrPort(source), netip.MustParseAddrPort(destination)}
	}
	if h != want {
		t.Errorf("%q: %v, want %v", name, h, want)
	}
}

func TestHeadersThatAnotherImplementationWrites(t *testing.T) {
	for _, version := range []byte{1, 2} {
		for _, ends := range [][2]string{{"192.0.2.1:51000", "198.51.100.7:25"}, {"[2001:db8::1]:51000", "[2001:db8::25]:25"}} {
			source, destination := netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
			h := peer.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(source), net.TCPAddrFromAddrPort(destination))
			if version == 2 {
				if err := h.SetTLVs([]peer.TLV{{Type: peer.PP2_TYPE_AUTHORITY, Value: []byte("mail.example.test")}}); err != nil {
					t.Fatal(err)
				}
			}
			var wire bytes.Buffer
			if _, err := h.WriteTo(&wire); err != nil {
				t.Fatal(err)
			}
			wire.WriteString("rest")
			got, err := Read(&wire)
			check(t, ends[0], got, err, ends[0], ends[1])
			if wire.String() != "rest" {
				t.Errorf("version %d: left %q", version, wire.String())
			}
		}
	}
}

func TestHeadersOfVersion2ThatSayNothingOrAreWrong(t *testing.T) {
	for name, test := range map[string]struct {
		bytes string
		err   error
	}{
		"LOCAL":              {signature + "\x20\x00\x00\x00", nil},
		"LOCAL with payload": {signature + "\x20\x11\x00\x02ab", nil},
		"UNSPEC":             {signature + "\x21\x00\x00\x00", nil},
		"UDP":                {signature + "\x21\x12\x00\x0c" + strings.Repeat("x", 12), ErrHeader},
		"Unix socket":        {signature + "\x21\x31\x00\xd8" + strings.Repeat("x", 216), ErrHeader},
		"too short for IPv4": {signature + "\x21\x11\x00\x0b" + strings.Repeat("x", 11), ErrHeader},
		"too short for IPv6": {signature + "\x21\x21\x00\x0c" + strings.Repeat("x", 12), ErrHeader},
		"version 3":          {signature + "\x31\x11\x00\x0c" + strings.Repeat("x", 12), ErrHeader},
		"unknown command":    {signature + "\x2f\x11\x00\x0c" + strings.Repeat("x", 12), ErrHeader},
		"too long":           {signature + "\x21\x11\xff\xff", ErrHeader},
		"cut off":            {signature + "\x21\x11\x00\x0cabc", io.ErrUnexpectedEOF},
		"cut off earlier":    {signature + "\x21", io.ErrUnexpectedEOF},
	} {
		h, err := Read(strings.NewReader(test.bytes))
		if !errors.Is(err, test.err) || h != (Header{}) {
			t.Errorf("%s: %v, %v; want nothing and %v", name, h, err, test.err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.7 51000 25\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x00\x01\x00\x19"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := Read(bytes.NewReader(data))
		if err != nil && h != (Header{}) {
			t.Errorf("%q: %v beside error %v", data, h, err)
		}
		if h.Source.IsValid() != h.Destination.IsValid() || h.Source.Addr().Is4In6() {
			t.Errorf("%q: %v", data, h)
		}
	})
}
