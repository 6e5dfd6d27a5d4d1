// Package proxyproto reads the header by which a proxy tells whom it stands for: the PROXY protocol, versions 1 and 2,
// as HAProxy defines it.
//
// [Read] takes exactly the header's bytes from the connection and not one more, so that what follows, be it a greeting or
// a TLS handshake, is the next reader's. Who may send such a header is the caller's decision: only a connection from an
// address that the administrator named as a proxy's may be read by this package, since the header is believed.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// ErrHeader means that the connection did not begin with a well-formed PROXY header.
var ErrHeader = errors.New("proxyproto: no valid PROXY header")

// Trusted reports whether ip is in one of the networks.
func Trusted(networks []netip.Prefix, ip netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(ip.WithZone("")) {
			return true
		}
	}
	return false
}

// Header is what the proxy says. Both are zero when the proxy speaks for itself (health checks) or for a client whose
// address it cannot express; the connection's own addresses hold then.
type Header struct {
	Source, Destination netip.AddrPort
}

// signature begins version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

const (
	maxLine    = 107  // of version 1, CR LF included
	maxPayload = 2048 // of version 2: addresses and TLVs, which are skipped
)

// Read reads one header. The caller sets a deadline on r.
func Read(r io.Reader) (Header, error) {
	var start [len(signature)]byte // no version 1 line is shorter
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return Header{}, err
	}
	switch {
	case string(start[:]) == signature:
		return readBinary(r)
	case bytes.HasPrefix(start[:], []byte("PROXY ")):
		return readLine(r, start[:])
	}
	return Header{}, ErrHeader
}

// readLine reads version 1, byte by byte, for its length is not known.
func readLine(r io.Reader, start []byte) (Header, error) {
	line := append(make([]byte, 0, maxLine), start...)
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == maxLine {
			return Header{}, ErrHeader
		}
		next := line[len(line) : len(line)+1]
		if _, err := io.ReadFull(r, next); err != nil {
			return Header{}, err
		}
		line = line[:len(line)+1]
	}
	return parseLine(string(line[:len(line)-2]))
}

// parseLine reads "PROXY TCP4 source destination source-port destination-port".
func parseLine(line string) (Header, error) {
	words := strings.Split(line, " ")
	if len(words) >= 2 && words[1] == "UNKNOWN" {
		return Header{}, nil // the rest, if any, must be ignored
	}
	if len(words) != 6 {
		return Header{}, ErrHeader
	}
	source, ok1 := parseEnd(words[1], words[2], words[4])
	destination, ok2 := parseEnd(words[1], words[3], words[5])
	if !ok1 || !ok2 {
		return Header{}, ErrHeader
	}
	return Header{source, destination}, nil
}

func parseEnd(family, ip, port string) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Zone() != "" {
		return netip.AddrPort{}, false
	}
	if family != "TCP4" && family != "TCP6" || addr.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// readBinary reads version 2 behind its signature: version and command, family and protocol, length, payload.
func readBinary(r io.Reader) (Header, error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return Header{}, err
	}
	length := int(binary.BigEndian.Uint16(fixed[2:]))
	if length > maxPayload {
		return Header{}, ErrHeader
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return Header{}, err
	}
	switch fixed[0] {
	case 0x20: // LOCAL
		return Header{}, nil
	case 0x21: // PROXY
		return parsePayload(fixed[1], payload)
	}
	return Header{}, ErrHeader
}

func parsePayload(family byte, payload []byte) (Header, error) {
	size := 0
	switch family {
	case 0x11: // TCP over IPv4
		size = 4
	case 0x21: // TCP over IPv6
		size = 16
	case 0x00: // UNSPEC
		return Header{}, nil
	default:
		return Header{}, ErrHeader // UDP or Unix sockets, which cannot lead here
	}
	if len(payload) < 2*size+4 {
		return Header{}, ErrHeader
	}
	source, _ := netip.AddrFromSlice(payload[:size])
	destination, _ := netip.AddrFromSlice(payload[size : 2*size])
	ports := payload[2*size:]
	return Header{
		Source:      netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(ports)),
		Destination: netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(ports[2:])),
	}, nil
}
