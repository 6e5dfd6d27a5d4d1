package dkim

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// oversigned are listed once more than they occur, so that a signature breaks when one is added: what the reader sees
// and what decides how the body is read.
func oversigned() []string {
	return []string{
		"From", "To", "Cc", "Subject", "Date", "Reply-To", "Message-ID",
		"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	}
}

// signedOnce are listed as often as they occur. Mailing lists may add their own.
func signedOnce() []string {
	return []string{
		"In-Reply-To", "References", "Auto-Submitted",
		"List-Id", "List-Help", "List-Post", "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post", // RFC 8058 4
	}
}

// maxSigned bounds the names in an h= tag.
const maxSigned = 200

// Sign gives the DKIM-Signature fields of a message, one for each key in their order, ready to stand before it. The
// message is prefix, header fields of our own that are covered as well, followed by size bytes of r. It must have CRLF
// line ends throughout. now goes into the t= tag.
func Sign(r io.ReaderAt, size int64, prefix []byte, keys []*Key, now time.Time) ([]byte, error) {
	if len(keys) == 0 {
		return nil, errors.New("dkim: no key to sign with")
	}
	br := readers.Get().(*reader)
	defer br.release()
	br.Reset(io.MultiReader(bytes.NewReader(prefix), io.NewSectionReader(r, 0, size)))
	h, err := readHeader(br.Reader)
	if err != nil {
		return nil, err
	}
	names, covered, err := h.toSign()
	if err != nil {
		return nil, err
	}
	body := newBodyHash(sha256.New(), true)
	if err := copyBody(br, []*bodyHash{body}); err != nil {
		return nil, err
	}
	bodySum := base64.StdEncoding.EncodeToString(body.Sum())
	if body.bare {
		return nil, ErrBareNewline
	}
	var out []byte
	for _, k := range keys {
		signature, err := k.signature(names, covered, bodySum, now)
		if err != nil {
			return nil, err
		}
		out = append(out, signature...)
	}
	return out, nil
}

// toSign gives the names of the h= tag and the fields that they stand for, in relaxed form.
func (h header) toSign() (names []string, covered []byte, err error) {
	if h.bare() {
		return nil, nil, ErrBareNewline
	}
	pick := h.picker()
	if !pick.hasMore("from") {
		return nil, nil, ErrHeaderFields // RFC 6376 5.4
	}
	add := func(name string, once bool) {
		key := lowerName(name)
		for i := pick.pick(key); i >= 0; i = pick.pick(key) {
			names = append(names, name)
			covered = relaxedField(covered, h[i].raw)
		}
		if !once {
			names = append(names, name)
		}
	}
	for _, name := range oversigned() {
		add(name, false)
	}
	for _, name := range signedOnce() {
		add(name, true)
	}
	if len(names) > maxSigned {
		return nil, nil, ErrHeaderFields
	}
	return names, covered, nil
}

// signature makes one DKIM-Signature field (RFC 6376 3.5, 3.7).
func (k *Key) signature(names []string, covered []byte, bodySum string, now time.Time) ([]byte, error) {
	f := folder{}
	f.add("DKIM-Signature: v=1;")
	f.add(" a=" + k.Algorithm.Signature() + ";")
	f.add(" c=relaxed/relaxed;")
	f.add(" d=" + k.Domain + ";")
	f.add(" s=" + k.Selector + ";")
	f.add(" t=" + strconv.FormatInt(now.Unix(), 10) + ";")
	for i, name := range names {
		switch {
		case i == 0:
			name = " h=" + name
		default:
			name = ":" + name
		}
		if i == len(names)-1 {
			name += ";"
		}
		f.add(name)
	}
	f.add(" bh=" + bodySum + ";")
	f.add(" b=")
	digest := sha256.New()
	digest.Write(covered)
	own := relaxedField(nil, f.text)
	digest.Write(own[:len(own)-2]) // without its line end
	value, err := k.sign(digest.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("dkim: signing for %s with %s: %w", k.Domain, k.Selector, err)
	}
	text := base64.StdEncoding.EncodeToString(value)
	for len(text) > 0 {
		n := min(len(text), 72)
		f.add(text[:n])
		text = text[n:]
	}
	return append(f.text, '\r', '\n'), nil
}

// sign signs a digest: RSASSA-PKCS1-v1_5 (RFC 6376 3.3.2), or Ed25519 over the digest as the message (RFC 8463 3).
func (k *Key) sign(digest []byte) ([]byte, error) {
	if k.Algorithm == Ed25519 {
		return k.private.Sign(rand.Reader, digest, crypto.Hash(0))
	}
	return k.private.Sign(rand.Reader, digest, crypto.SHA256)
}

// folder writes a header field in lines of at most 78 columns, folded between the pieces it is given.
type folder struct {
	text  []byte
	line  int
	space bool // fold with a space, not a tab
}

func (f *folder) add(piece string) {
	if f.line > 0 && f.line+len(piece) > 76 {
		f.fold()
		piece = strings.TrimPrefix(piece, " ")
	}
	f.text = append(f.text, piece...)
	f.line += len(piece)
}

func (f *folder) fold() {
	if f.space {
		f.text, f.line = append(f.text, "\r\n "...), 1
	} else {
		f.text, f.line = append(f.text, "\r\n\t"...), 8
	}
}
