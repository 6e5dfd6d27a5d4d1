package dkim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// FuzzBody: however a body is cut into pieces the hash is the same, and it is that of the plain definition.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"", " \r\n", "a  b \r\n\r\n", "a\r\n \r\nb", "\r\r\n\n", "x\t\r\n.\r\n"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, body []byte, step int) {
		step = max(1, step%50)
		for _, relaxed := range []bool{false, true} {
			whole, pieces := newBodyHash(sha256.New(), relaxed), newBodyHash(sha256.New(), relaxed)
			_, _ = whole.Write(body)
			for rest := body; len(rest) > 0; rest = rest[min(step, len(rest)):] {
				_, _ = pieces.Write(rest[:min(step, len(rest))])
			}
			plain := sha256.Sum256(plainBody(body, relaxed))
			a, b := whole.Sum(), pieces.Sum()
			if !bytes.Equal(a, b) || whole.bare != pieces.bare {
				t.Fatalf("relaxed %v: %q differs when cut by %d", relaxed, body, step)
			}
			if !bytes.Equal(a, plain[:]) {
				t.Fatalf("relaxed %v: %q is not %q", relaxed, body, plainBody(body, relaxed))
			}
		}
	})
}

// plainBody is RFC 6376 3.4.3 and 3.4.4 word for word.
func plainBody(body []byte, relaxed bool) []byte {
	lines := strings.Split(string(body), "\r\n")
	for i, line := range lines {
		if relaxed {
			words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
			if line = strings.TrimRight(line, " \t"); strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				words = append([]string{""}, words...)
			}
			lines[i] = strings.Join(words, " ")
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 && relaxed {
		return nil
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

// FuzzSign: what we sign we verify, and so does another implementation.
func FuzzSign(f *testing.F) {
	now := time.Unix(1764000000, 0)
	key, err := GenerateKey(Ed25519, "example.test", "s", now)
	if err != nil {
		f.Fatal(err)
	}
	text, err := key.Record()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("Subject: a\r\n b\r\n\tc"), []byte("body\r\n"))
	f.Add([]byte("X:\r\nTO : a\r\nto:b"), []byte(" \r\n\r\n"))
	f.Add([]byte("no colon\r\nReferences:\r\n \r\n x"), []byte("é"))
	f.Fuzz(func(t *testing.T, head, body []byte) {
		message := append(append([]byte("From: a@example.test\r\n"), head...), "\r\n\r\n"...)
		message = append(message, body...)
		fields, err := Sign(bytes.NewReader(message), int64(len(message)), nil, []*Key{key}, now)
		if err != nil {
			return
		}
		signed := append(fields, message...)
		lookup := func(context.Context, string) ([]string, error) { return []string{text}, nil }
		list, err := Verify(t.Context(), bytes.NewReader(signed), int64(len(signed)), lookup, now)
		if err != nil || len(list) == 0 || list[0].Result != ResultPass {
			t.Fatalf("%+v, %v", list, err)
		}
		if len(list) > 1 || oddHeader(signed) {
			return
		}
		theirs, err := msgauth.VerifyWithOptions(bytes.NewReader(signed), &msgauth.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{text}, nil }})
		if err != nil || len(theirs) != 1 || theirs[0].Err != nil {
			t.Fatalf("%v: the other implementation says %v, %v", string(signed), err, theirs)
		}
	})
}

// oddHeader: lines that are neither a field nor the rest of one; implementations differ there.
func oddHeader(message []byte) bool {
	head, _, _ := strings.Cut(string(message), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			if strings.TrimSpace(line) == "" {
				return true
			}
			continue
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return true
		}
	}
	return false
}

// FuzzVerify: no signature and no record of a stranger makes verifying panic or pass.
func FuzzVerify(f *testing.F) {
	f.Add("v=1; a=rsa-sha256; c=relaxed/simple; d=a.test; s=x; h=from:to; bh=AAAA; b=BBBB", "v=DKIM1; k=rsa; p=AAAA")
	f.Add("v=1; a=ed25519-sha256; d=a.test; s=x; h=from; i=@=40a.test; t=1; x=2; q=dns/txt; bh=AA==;b=\r\n\tAAAA\r\n", "k=ed25519; h=sha256; t=y:s; s=email; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Add(";;=;", "p=")
	f.Fuzz(func(t *testing.T, signature, record string) {
		message := "DKIM-Signature: " + signature + "\r\nFrom: a@a.test\r\n\r\nbody\r\n"
		list, err := Verify(t.Context(), strings.NewReader(message), int64(len(message)),
			func(context.Context, string) ([]string, error) { return []string{record}, nil }, time.Unix(1764000000, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if v.Result == ResultPass || v.Result == "" {
				t.Fatalf("%+v", v)
			}
		}
		_, _ = parseTags(signature)
		if s := withoutSignature([]byte("DKIM-Signature:" + signature + "\r\n")); len(s) > len(signature)+20 {
			t.Fatalf("%q grew", signature)
		}
	})
}
