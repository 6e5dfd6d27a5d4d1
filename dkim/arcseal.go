package dkim

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Sealing is what a new ARC set says.
type Sealing struct {
	// Key signs the message and seals the chain, in the name of its domain; any state will do.
	Key *Key
	// Arrived is the chain as VerifyARC found it when the message came in, before anything of it was changed.
	Arrived Chain
	// Results is what was found about the message when it came in: the value of an Authentication-Results field, with our
	// authserv-id first. It may be folded.
	Results string
	// Headers are the fields to sign, as for h=; nil for those that a DKIM signature of ours covers, and DKIM-Signature.
	Headers []string
	// Time goes into the t= tags.
	Time time.Time
}

// ErrNoSeal: a chain that was sealed as failed, or has 50 sets, takes no more (RFC 8617 4.2.1, 5.1); one whose keys could
// not be had just now is better left alone than sealed as failed for good.
var ErrNoSeal = errors.New("dkim: the ARC chain takes no more sets")

// errFolded: the first line of the message would continue the last field of the set.
var errFolded = errors.New("dkim: the message begins with a continuation line")

// Seal gives the fields of a new ARC set for a message about to leave, ready to stand before it: ARC-Seal,
// ARC-Message-Signature and ARC-Authentication-Results (RFC 8617 5.1). The message must have CRLF line ends throughout.
func Seal(r io.ReaderAt, size int64, s Sealing) ([]byte, error) {
	br := readers.Get().(*reader)
	defer br.release()
	br.Reset(io.NewSectionReader(r, 0, size))
	h, err := readHeader(br.Reader)
	if err != nil {
		return nil, err
	}
	c := h.chain()
	if c.failed || c.highest >= MaxInstances || s.Arrived.Result == ResultTempError {
		return nil, ErrNoSeal
	}
	if h.bare() || badFold(s.Results) {
		return nil, ErrBareNewline
	}
	if len(h) > 0 && (h[0].raw[0] == ' ' || h[0].raw[0] == '\t') {
		return nil, errFolded
	}
	names, covered, err := s.toSign(h)
	if err != nil {
		return nil, err
	}
	body := newBodyHash(sha256.New(), true)
	if err := copyBody(br, []*bodyHash{body}); err != nil {
		return nil, err
	}
	sum := base64.StdEncoding.EncodeToString(body.Sum())
	if body.bare {
		return nil, ErrBareNewline
	}
	return s.set(c, names, covered, sum)
}

// badFold reports whether a value could end its field early.
func badFold(value string) bool {
	rest := strings.ReplaceAll(strings.ReplaceAll(value, "\r\n ", " "), "\r\n\t", " ")
	return strings.ContainsAny(rest, "\r\n\x00")
}

// toSign gives the names of the h= tag and the fields that they stand for.
func (s Sealing) toSign(h header) (names []string, covered []byte, err error) {
	if s.Headers == nil {
		if names, covered, err = h.toSign(); err != nil {
			return nil, nil, err
		}
		for i := len(h) - 1; i >= 0 && len(names) < maxSigned; i-- {
			if h[i].name == "dkim-signature" {
				names, covered = append(names, "DKIM-Signature"), relaxedField(covered, h[i].raw)
			}
		}
		return names, covered, nil
	}
	pick := h.picker()
	for _, name := range s.Headers {
		if i := pick.pick(strings.ToLower(name)); i >= 0 {
			covered = relaxedField(covered, h[i].raw)
		}
	}
	return s.Headers, covered, nil
}

// set makes the three fields.
func (s Sealing) set(c *chain, names []string, covered []byte, bodySum string) ([]byte, error) {
	status, before := string(s.Arrived.Result), c.sets
	switch s.Arrived.Result {
	case ResultNone, ResultPass:
		if c.Result == ResultFail || (s.Arrived.Result == ResultNone) != (c.highest == 0) {
			status, before = "fail", nil // it is not as it arrived
		}
	default:
		// A failed chain is sealed without what is in it (RFC 8617 5.1.2).
		status, before = "fail", nil
	}
	number := strconv.Itoa(c.highest + 1)
	own := arcSet{results: []byte("ARC-Authentication-Results: i=" + number + "; " + strings.Trim(s.Results, " \t\r\n") + "\r\n")}
	k := s.Key
	d, selector, at := " d="+k.Domain+";", " s="+k.Selector+";", " t="+strconv.FormatInt(s.Time.Unix(), 10)
	pieces := []string{" bh=" + bodySum + ";", " c=relaxed/relaxed;", d}
	pieces = append(pieces, nameList(names)...)
	pieces = append(pieces, " i="+number+";", selector, at)
	var err error
	own.message, err = k.arcField("ARC-Message-Signature", pieces, func(field []byte) []byte {
		sum := sha256.New()
		sum.Write(covered)
		relaxed := relaxedField(nil, field)
		sum.Write(relaxed[:len(relaxed)-2]) // without its line end
		return sum.Sum(nil)
	})
	if err != nil {
		return nil, err
	}
	own.seal, err = k.arcField("ARC-Seal", []string{" cv=" + status + ";", d, " i=" + number + ";", selector, at}, func(field []byte) []byte {
		return sealDigest(before, arcSet{results: own.results, message: own.message, seal: field})
	})
	if err != nil {
		return nil, err
	}
	return append(append(own.seal, own.message...), own.results...), nil
}

// nameList is an h= tag in pieces.
func nameList(names []string) []string {
	pieces := make([]string, 0, len(names))
	for i, name := range names {
		if i == 0 {
			name = " h=" + name
		} else {
			name = ":" + name
		}
		pieces = append(pieces, name)
	}
	pieces[len(pieces)-1] += ";"
	return pieces
}

// arcField makes one field: its algorithm, its signature, and then the other tags. They start on a line of their own, so
// that they stand there alike with and without the signature before them. Lines are folded with a space, since python3-dkim
// finds an instance only behind one.
func (k *Key) arcField(name string, pieces []string, digest func(field []byte) []byte) ([]byte, error) {
	write := func(value string) []byte {
		f := folder{space: true}
		f.add(name + ": a=" + k.Algorithm.Signature() + ";")
		piece := " b="
		for width := 70; len(value) > 0; width = 72 {
			n := min(len(value), width)
			f.add(piece + value[:n])
			piece, value = "", value[n:]
		}
		f.add(piece)
		f.text = append(f.text, ';')
		f.fold()
		for i, piece := range pieces {
			if i == 0 {
				piece = strings.TrimPrefix(piece, " ")
			}
			f.add(piece)
		}
		return append(f.text, '\r', '\n')
	}
	value, err := k.sign(digest(write("")))
	if err != nil {
		return nil, fmt.Errorf("dkim: sealing for %s with %s: %w", k.Domain, k.Selector, err)
	}
	return write(base64.StdEncoding.EncodeToString(value)), nil
}
