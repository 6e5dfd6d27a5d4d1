package warden

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"postern/internal/config"
)

// Socket is a bound listener of a service.
type Socket struct {
	Service  string
	Listener net.Listener
}

// Bind gives the sockets of every service: those that systemd has handed us by their names (FileDescriptorName=), and
// for services without one those that the configuration names. An error says what stands in the way.
func Bind(ctx context.Context, c *config.Config, log *slog.Logger) (sockets []Socket, err error) {
	defer func() {
		if err != nil {
			Close(sockets)
			sockets = nil
		}
	}()
	if sockets, err = handed(); err != nil {
		return sockets, err
	}
	given := make(map[string]bool)
	for _, s := range sockets {
		given[s.Service] = true
		log.Debug("socket from systemd", "service", s.Service, "address", s.Listener.Addr().String())
	}
	// The kernel's TCP without the multipath variant: rules about TCP sockets do not cover that one.
	var listening net.ListenConfig
	listening.SetMultipathTCP(false)
	for _, service := range config.Services() {
		if given[service.Name] {
			continue
		}
		var skipped error
		bound := 0
		for _, a := range c.Listen[service.Name] {
			l, err := listening.Listen(ctx, a.Network(), a.String())
			if err != nil && a.IP == netip.IPv6Loopback() && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
				// The loopback defaults name both families, and not every machine has both.
				skipped = explain(c, service.Name, a, err)
				log.Info("no IPv6 on this machine", "service", service.Name, "address", a.String())
				continue
			}
			if err != nil {
				return sockets, explain(c, service.Name, a, err)
			}
			sockets = append(sockets, Socket{service.Name, l})
			bound++
		}
		if bound == 0 && skipped != nil {
			return sockets, skipped
		}
	}
	return sockets, nil
}

func explain(c *config.Config, service string, a config.Address, err error) error {
	where := "listen." + service
	if c.Path != "" {
		where += " in " + c.Path
	}
	fix := "check " + where
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err, fix = errors.New("another program listens there"), "stop it, or change "+where
	case errors.Is(err, os.ErrPermission):
		err, fix = errors.New("only root may listen below port 1024"), "start as root, let systemd hand over the sockets, or change "+where
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		err, fix = errors.New("this machine has no such address"), "change "+where
	}
	return fmt.Errorf("%s cannot listen at %s: %w; %s", service, a, err, fix)
}

// handed are the sockets of systemd's socket activation.
func handed() ([]Socket, error) {
	var sockets []Socket
	known := config.Services()
	for _, f := range activation.Files(true) {
		name := f.Name()
		if !slices.ContainsFunc(known, func(s config.Service) bool { return s.Name == name }) {
			names := make([]string, len(known))
			for i, s := range known {
				names[i] = s.Name
			}
			f.Close()
			return sockets, fmt.Errorf("systemd handed over a socket named %q; write FileDescriptorName= with one of %s into its unit", name, strings.Join(names, ", "))
		}
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return sockets, fmt.Errorf("systemd's socket %s is none to listen on: %w; use ListenStream= in its unit", name, err)
		}
		sockets = append(sockets, Socket{name, l})
	}
	return sockets, nil
}

// Close closes sockets that are not served after all.
func Close(sockets []Socket) {
	for _, s := range sockets {
		s.Listener.Close()
	}
}
