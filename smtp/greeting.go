package smtp

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"postern/internal/proxyproto"
	"postern/internal/reply"
)

// open does what comes before the first command: the PROXY header, limits, TLS on 465, the backend's word, a look at
// whether the client talks too early, the greeting. It reports whether the session goes on.
func (c *connection) open() bool {
	if c.server.Metrics != nil {
		c.server.Metrics.SessionOpened(c.server.Role)
	}
	if !c.readProxyHeader() || !c.admit() {
		return false
	}
	if c.server.Role == Submissions {
		if err := c.handshake(); err != nil {
			c.refused("tls", err)
			return false
		}
	}
	c.connected = true
	if err := c.server.Backend.Connect(c.ctx, &c.session); err != nil {
		c.turnAway("policy", err)
		return false
	}
	if c.server.Role == MX && c.talksEarly() {
		c.turnAway("early", reply.New(554, "5.5.0", "You talk before the greeting"))
		return false
	}
	c.say(220, "", c.server.Hostname+" ESMTP")
	c.progress = time.Now()
	return true
}

// readProxyHeader learns the client's address from a trusted proxy, which must give it.
func (c *connection) readProxyHeader() bool {
	ends, err := proxyproto.Ends(c.raw, c.server.TrustedProxies, c.limits.HandshakeTimeout)
	if err != nil {
		c.refused("proxy", err)
		return false
	}
	c.session.Remote, c.session.Local = ends.Source, ends.Destination
	return true
}

// admit asks the throttle for a place.
func (c *connection) admit() bool {
	if c.server.Throttle == nil {
		return true
	}
	release, err := c.server.Throttle.Connect(c.session.Remote.Addr())
	if err == nil {
		c.throttled = release
		return true
	}
	if c.server.Role == Submissions {
		c.refused("throttle", err) // nothing to say before TLS, and TLS is what must be saved
		return false
	}
	var e *reply.Error
	if !errors.As(err, &e) {
		err = reply.Wrap(err, 421, "4.7.0", "Too many connections from you, please try again later")
	}
	c.turnAway("throttle", err)
	return false
}

// turnAway greets with a refusal. RFC 5321 3.1 has 554 here; 421 says that trying again helps.
func (c *connection) turnAway(reason string, err error) {
	e := reply.From(err)
	code := 554
	if e.Temporary() {
		code = 421
	}
	c.say(code, e.EnhancedString(), c.server.Hostname+" "+e.Text)
	c.unread = true
	c.refused(reason, err)
}

// talksEarly reports whether bytes arrived before the greeting, after waiting for them as long as is set. Only programs
// that do not care for answers do this.
func (c *connection) talksEarly() bool {
	if d := c.limits.GreetDelay; d > 0 {
		return c.hearsWithin(d)
	}
	return inputWaiting(c.raw)
}

func (c *connection) hearsWithin(d time.Duration) bool {
	if c.raw.SetReadDeadline(time.Now().Add(d)) != nil {
		return false
	}
	n, err := c.raw.Read(c.small[:1])
	if n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.err = err // gone already
	}
	return n > 0
}

// inputWaiting reports whether a socket has input right now. It says no for anything that is not a socket.
func inputWaiting(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	control, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	waiting := false
	err = control.Read(func(fd uintptr) bool {
		var one [1]byte
		n, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		waiting = err == nil && n > 0
		return true
	})
	return waiting && err == nil
}
