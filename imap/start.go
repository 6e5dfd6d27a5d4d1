package imap

import (
	"context"
	"net"
	"time"

	"postern/internal/proxyproto"
	"postern/internal/sasl"
)

// handshakeTimeout is for TLS's handshake, and for the PROXY header.
const handshakeTimeout = 30 * time.Second

// keepAlive finds dead clients. Sessions idle for hours on phones, which each probe wakes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Minute, Interval: time.Minute, Count: 5}

// start secures the connection and then lets the session run on a goroutine of its own: TLS's handshake needs a deep stack,
// and a session that idles for hours would keep it.
func (s *session) start() {
	ready := false
	defer func() {
		if p := recover(); p != nil {
			s.srv.log().Error("imap handshake", "panic", p)
		}
		if ready {
			go s.run()
			return
		}
		s.Cut()
		s.release()
		s.srv.sessions.Leave(s)
	}()
	ready = s.counted() && s.secured() && !s.srv.sessions.Closing()
}

// counted finds out who the client is and has the throttle count it in.
func (s *session) counted() bool {
	ends, err := proxyproto.Ends(s.conn.NetConn(), s.srv.TrustedProxies, handshakeTimeout)
	if s.remote = ends.Source.Addr(); err == nil && s.srv.Throttle != nil {
		var release func()
		if release, err = s.srv.Throttle.Connect(s.remote); err == nil {
			s.release = release
		}
	}
	if err != nil {
		s.srv.log().Info("imap connection refused", "remote", s.remote, "reason", err)
		return false
	}
	s.ctx = sasl.WithRemote(s.ctx, s.remote)
	return true
}

// secured does TLS's handshake.
func (s *session) secured() bool {
	if tcp, ok := s.conn.NetConn().(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(keepAlive)
	}
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
	defer cancel()
	ctx, shown := sasl.ShownCertificate(ctx)
	if err := s.conn.HandshakeContext(ctx); err != nil {
		s.srv.log().Debug("imap handshake", "remote", s.remote, "error", err)
		return false
	}
	s.shown, s.started = shown(), time.Now()
	return true
}
