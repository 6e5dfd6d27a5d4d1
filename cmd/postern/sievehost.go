package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench answers a script that is tried without a server.
type bench struct {
	mailboxes []string
	to        string
}

func newBench(mailboxes []string, to string) *bench {
	return &bench{mailboxes: append([]string{"INBOX"}, mailboxes...), to: to}
}

// beside gives the scripts that a script includes: files in its folder, NAME or NAME.sieve, and global ones in a folder of
// theirs, if there is one.
func beside(script, shared string) func(name string, global bool) ([]byte, error) {
	own := filepath.Dir(script)
	return func(name string, global bool) ([]byte, error) {
		folder := own
		if global {
			folder = shared
		}
		if folder == "" || name == "" || strings.ContainsAny(name, `/\\`) || strings.HasPrefix(name, ".") {
			return nil, fs.ErrNotExist
		}
		b, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			b, err = os.ReadFile(filepath.Join(folder, name+".sieve"))
		}
		return b, err
	}
}

func (*bench) Now() time.Time { return time.Now() }

// Item knows what is the same on every server.
func (*bench) Item(name string) (string, bool) {
	switch name {
	case "name":
		return "Postern", true
	case "version":
		return version, true
	case "location":
		return "MDA", true
	case "phase":
		return "during", true
	}
	return "", false
}

// Addresses is whom the message is for.
func (b *bench) Addresses() []string { return []string{b.to} }

// Owns: nobody else's.
func (b *bench) Owns(_ context.Context, address string) (bool, error) {
	return strings.EqualFold(address, b.to), nil
}

func (b *bench) HasMailbox(_ context.Context, name string) (bool, error) {
	return slices.Contains(b.mailboxes, name), nil
}

func (*bench) SpecialUse(context.Context, string) ([]string, error) { return nil, nil }

func (*bench) Metadata(context.Context, string, string) (string, bool, error) { return "", false, nil }

func (*bench) Duplicate(context.Context, string) (bool, error) { return false, nil }

func (*bench) Spam() (score, percent int, tested bool) { return 0, 0, false }

func (*bench) Virus() int { return 0 }
