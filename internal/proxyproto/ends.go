package proxyproto

import (
	"net"
	"net/netip"
	"time"
)

// Own are the addresses of a connection itself, without a mapped form or zone; zero for what has none.
func Own(conn net.Conn) Header {
	return Header{Source: addrPort(conn.RemoteAddr()), Destination: addrPort(conn.LocalAddr())}
}

// Ends says between whom a connection is: its own addresses or, from one of the trusted networks, those of the header it
// must begin with, which is waited for as long as patience. With an error they are the connection's own.
func Ends(conn net.Conn, trusted []netip.Prefix, patience time.Duration) (Header, error) {
	own := Own(conn)
	if !Trusted(trusted, own.Source.Addr()) {
		return own, nil
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return own, err
	}
	defer conn.SetReadDeadline(time.Time{})
	header, err := Read(conn)
	if err != nil || !header.Source.IsValid() {
		return own, err
	}
	return header, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
