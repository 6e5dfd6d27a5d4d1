package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listen opens the socket: for its owner only, and whoever connects must be root or the server's own user, as the kernel
// says (SO_PEERCRED). The mode alone would do on Linux; the credentials also hold where a copy of the socket is handed on
// by a file system that does not keep modes.
func Listen(path string, log *slog.Logger) (net.Listener, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another server answers at %s; stop it, or give this one a data directory of its own", path)
	}
	// What is there is left from a server that was killed.
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(path)
	}
	// The mode is right from the first moment on: bind applies the umask. It is the process's, so it is put back.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("admin socket %s: %w; check the data directory's owner and permissions", path, err)
	}
	return &peers{Listener: l, log: log, own: os.Geteuid()}, nil
}

// peers lets in root and our own user.
type peers struct {
	net.Listener
	log *slog.Logger
	own int
}

func (p *peers) Accept() (net.Conn, error) {
	for {
		conn, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(conn)
		if err == nil && (uid == 0 || int(uid) == p.own) {
			return conn, nil
		}
		p.log.Warn("administration denied", "uid", uid, "error", err)
		conn.Close()
	}
}

func peerOf(conn net.Conn) (uint32, error) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.New("not a socket")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credentials *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		credentials, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	return credentials.Uid, nil
}
