package managesieve

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// smallLiteral bounds the literals that are not scripts. The longest is a response to a challenge.
	smallLiteral = 8 << 10
	// skipBytes is how much of a script that is too long is read, so that the session can go on behind it.
	skipBytes = 4 << 20
)

// literal reads a literal: {n+}, CR LF and n octets. The client does not wait for an invitation, so whatever it announces
// is on its way: a little too much is thrown away, and from a client that sends more we part. RFC 5804 4 (literal-c2s)
func (l *lineReader) literal(k kind) (argument, error) {
	size, err := l.literalSize()
	if err != nil {
		return argument{}, err
	}
	if size > l.most(k) {
		return l.excess(size, k)
	}
	l.room -= size
	// The room grows with what arrives, not with what is announced.
	var content bytes.Buffer
	if _, err := io.CopyN(&content, l.in, size); err != nil {
		return argument{}, unexpected(err)
	}
	return argument{data: content.Bytes()}, nil
}

// literalSize reads what stands before a literal's octets. Whatever is wrong with it, where the octets end is not known.
func (l *lineReader) literalSize() (size int64, err error) {
	const form = "A literal starts with {n+} and CR LF"
	head := make([]byte, 0, 16)
	for {
		c, err := l.octet()
		if e, misspelt := err.(*misspelt); misspelt {
			return 0, hopeless(e.text)
		} else if err != nil {
			return 0, err
		}
		if head = append(head, c); c == '\n' {
			break
		}
		if len(head) == 16 {
			return 0, hopeless(form)
		}
	}
	l.ended, l.last = false, 0 // the command goes on behind the octets
	digits, found := bytes.CutSuffix(head[1:], []byte("+}\r\n"))
	if !found {
		return 0, hopeless(form)
	}
	size, valid := parseNumber(digits)
	if !valid {
		return 0, hopeless("A literal's length is a number below 4294967296")
	}
	return size, nil
}

// excess deals with a literal of too many octets.
func (l *lineReader) excess(size int64, k kind) (argument, error) {
	most := l.most(k)
	if l.account == 0 || size > max(skipBytes, most) {
		e := &misspelt{text: fmt.Sprintf("The literal has %d octets and %d are allowed here", size, most), fatal: true}
		if k == aScript && l.account != 0 {
			e.code = codeMaxSize
		}
		return argument{}, e
	}
	if _, err := io.CopyN(io.Discard, l.in, size); err != nil {
		return argument{}, unexpected(err)
	}
	return argument{excess: size}, nil
}

// parseNumber reads a number of 32 bits without leading zeros. RFC 5804 4
func parseNumber(digits []byte) (n int64, valid bool) {
	if len(digits) == 0 || len(digits) > 10 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, n < 1<<32
}

// most is how many octets a literal may have here.
func (l *lineReader) most(k kind) int64 {
	switch {
	case l.account == 0:
		return l.room
	case k == aScript:
		return l.limits.ScriptBytes
	}
	return smallLiteral
}
