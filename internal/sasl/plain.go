package sasl

import (
	"bytes"
	"context"
	"unicode/utf8"
)

// plainServer is RFC 4616: one message, authzid NUL authcid NUL password.
type plainServer struct {
	exchange
	asked bool
}

func (s *plainServer) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if err := s.guard(response); err != nil {
		return nil, false, err
	}
	if response == nil && !s.asked {
		s.asked = true
		return []byte{}, false, nil
	}
	s.over = true
	authzid, login, password, err := parsePlain(response)
	if err != nil {
		return nil, false, err
	}
	if err := s.check(ctx, authzid, login, password); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

func parsePlain(message []byte) (authzid, login, password string, err error) {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 || !utf8.Valid(message) || len(parts[1]) == 0 || len(parts[2]) == 0 {
		return "", "", "", ErrProtocol
	}
	return string(parts[0]), string(parts[1]), string(parts[2]), nil
}

// loginServer is the undocumented LOGIN of old clients: name and password as two messages.
type loginServer struct {
	exchange
	name  string
	named bool
	asked bool
}

func (s *loginServer) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if err := s.guard(response); err != nil {
		return nil, false, err
	}
	switch {
	case response == nil && !s.asked && !s.named:
		s.asked = true
		return []byte("Username:"), false, nil
	case len(response) == 0 || !utf8.Valid(response) || bytes.IndexByte(response, 0) >= 0:
		s.over = true
		return nil, false, ErrProtocol
	case !s.named:
		s.name, s.named = string(response), true
		return []byte("Password:"), false, nil
	}
	s.over = true
	if err := s.check(ctx, "", s.name, string(response)); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}
