package warden

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// The environment tells the child what its file descriptors are: 3 is the line to the warden, then come the sockets.
const (
	envLine    = "POSTERN_WARDEN_FD"
	envSockets = "POSTERN_SOCKETS" // services, comma separated, in the order of the descriptors
	firstFD    = 3
)

// The calls.
const (
	callPing     = "ping"
	callConfig   = "config"
	callCert     = "certificate"
	callKey      = "key"
	callReady    = "ready"
	callStopping = "stopping"
)

// Parent is the warden as its child sees it.
type Parent struct{ line *line }

// ConfigFile is the configuration as the warden has read it.
type ConfigFile struct {
	Path string `json:"path"`
	Text []byte `json:"text"`
}

// FromEnvironment gives the warden and the sockets when this process is a warden's child, and nil when it is not. The
// variables are removed: they are not for our own children.
func FromEnvironment() (*Parent, []Socket, error) {
	fdText, names := os.Getenv(envLine), os.Getenv(envSockets)
	if fdText == "" {
		return nil, nil, nil
	}
	os.Unsetenv(envLine)
	os.Unsetenv(envSockets)
	if fd, err := strconv.Atoi(fdText); err != nil || fd != firstFD {
		return nil, nil, fmt.Errorf("%s is %q, which only the warden sets; unset it", envLine, fdText)
	}
	f := os.NewFile(firstFD, "warden")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("the line to the warden is none: %w; unset %s", err, envLine)
	}
	sockets, err := inherit(names)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return &Parent{newLine(conn, nil)}, sockets, nil
}

func inherit(names string) (sockets []Socket, err error) {
	if names == "" {
		return nil, nil
	}
	for i, name := range strings.Split(names, ",") {
		f := os.NewFile(uintptr(firstFD+1+i), name)
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			Close(sockets)
			return nil, fmt.Errorf("the socket of %s was not handed over: %w", name, err)
		}
		sockets = append(sockets, Socket{name, l})
	}
	return sockets, nil
}

// Run serves the warden's calls until the line breaks: then the warden is gone, and so should we be. Healthy answers its
// question whether we still do our work.
func (p *Parent) Run(ctx context.Context, healthy func(context.Context) error) error {
	p.line.handle = func(ctx context.Context, call string) (any, error) {
		if call != callPing {
			return nil, errors.New("no such call")
		}
		return true, healthy(ctx)
	}
	return p.line.run(ctx)
}

// Ping asks whether the warden is there.
func (p *Parent) Ping(ctx context.Context) error { return p.line.call(ctx, callPing, nil) }

// Config gives the configuration, which we may not be allowed to read.
func (p *Parent) Config(ctx context.Context) (ConfigFile, error) {
	var f ConfigFile
	return f, p.line.call(ctx, callConfig, &f)
}

// ReadCertificate gives the certificate and key files that the configuration names.
func (p *Parent) ReadCertificate(ctx context.Context) (cert, key []byte, err error) {
	if err := p.line.call(ctx, callCert, &cert); err != nil {
		return nil, nil, err
	}
	return cert, key, p.line.call(ctx, callKey, &key)
}

// Ready says that all services answer.
func (p *Parent) Ready(ctx context.Context) error { return p.line.call(ctx, callReady, nil) }

// Stopping says that we are ending.
func (p *Parent) Stopping(ctx context.Context) error { return p.line.call(ctx, callStopping, nil) }
