package imap

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"postern/internal/testenv"
)

// compressed turns compression on and gives a client that reads it, and how it sends.
func (c *client) compressed() (_ *client, send func(lines string)) {
	c.t.Helper()
	c.send("z COMPRESS DEFLATE")
	c.want("z OK …")
	var batch bytes.Buffer
	w, err := flate.NewWriter(&batch, flate.BestSpeed)
	if err != nil {
		c.t.Fatal(err)
	}
	send = func(lines string) {
		c.t.Helper()
		io.WriteString(w, lines+"\r\n")
		w.Flush()
		if _, err := batch.WriteTo(c.conn); err != nil {
			c.t.Fatal(err)
		}
	}
	return &client{t: c.t, name: "compressed: ", conn: c.conn, r: bufio.NewReader(flate.NewReader(c.r))}, send
}

func TestACompressedSessionWorksAsAnyOther(t *testing.T) {
	w := newWorld(t)
	c, send := w.user("alice@example.test").compressed()
	text := "Subject: big\r\n\r\n" + strings.Repeat("all work and no play makes Jack a dull boy\r\n", 20_000)
	send(fmt.Sprintf("1 APPEND INBOX {%d+}\r\n%s", len(text), text))
	c.want("1 OK [APPENDUID …")
	send("2 COMPRESS DEFLATE")
	c.want("2 NO [COMPRESSIONACTIVE] …")
	send("3 SELECT INBOX")
	c.until("3 OK …")
	send("4 FETCH 1 BODY.PEEK[]")
	c.want(fmt.Sprintf("* 1 FETCH (BODY[] {%d}", len(text)))
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != text {
		t.Fatalf("altered: %v", err)
	}
	c.want(")")
	c.want("4 OK …")
	send("5 IDLE")
	c.want("+ idling")
	w.deliver("alice@example.test", "", hello)
	c.want("* 2 EXISTS")
	c.want("* …RECENT")
	send("DONE")
	c.want("5 OK …")
	send("6 LOGOUT")
	c.want("* BYE …")
	c.want("6 OK …")
}

func TestCommandsSentRightBehindCompressAreCompressed(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	var noop strings.Builder
	z, err := flate.NewWriter(&noop, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(z, "2 NOOP\r\n")
	z.Flush()
	if _, err := io.WriteString(c.conn, "1 COMPRESS DEFLATE\r\n"+noop.String()); err != nil {
		t.Fatal(err)
	}
	c.want("1 OK …")
	c.r = bufio.NewReader(flate.NewReader(c.r))
	c.want("2 OK NOOP completed")
}

func TestGarbageInACompressedStreamEndsTheSession(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	c.send("1 COMPRESS DEFLATE")
	c.want("1 OK …")
	c.conn.Write([]byte("\xff\xff\xff\xff no deflate"))
	c.closed()
	c = w.user("alice@example.test")
	c.send("1 COMPRESS LZW")
	c.want("1 NO [CANNOT] …")
}

// mutt and others end their commands with a partial flush, which leaves the decoder in the middle of a byte.
func TestAClientThatFlushesPartially(t *testing.T) {
	python := testenv.Need(t, "python3")[0]
	w := newWorld(t)
	host, port, _ := strings.Cut(w.addr, ":")
	out, err := exec.Command(python, "-c", `
import socket, ssl, sys, zlib
host, port, user, password = sys.argv[1:]
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
s = context.wrap_socket(socket.create_connection((host, int(port)), timeout=20))
f = s.makefile("rb")
f.readline()
s.sendall(f"a LOGIN {user} {password}\r\n".encode()); f.readline()
s.sendall(b"b COMPRESS DEFLATE\r\n"); print(f.readline().decode().strip())
z, d = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
for command in (b"c NOOP\r\n", b"d SELECT INBOX\r\n", b"e NOOP\r\n"):
    s.sendall(z.compress(command) + z.flush(zlib.Z_PARTIAL_FLUSH))
    got = b""
    while command[:1] + b" OK" not in got:
        got += d.decompress(f.read1(4096))
    print(got.decode().strip().splitlines()[-1])
`, host, port, "alice@example.test", password).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "b OK Compression starts now\nc OK NOOP completed\nd OK [READ-WRITE] Mailbox opened\ne OK NOOP completed\n"
	if string(out) != want {
		t.Errorf("got\n%s", out)
	}
}
