package corpus

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is what a file's first bytes say of it.
type packing int

const (
	plain packing = iota
	packedTar
	packedGzip
	packedZstd
	packedBzip2
)

// maxWindow bounds the memory that a compressed stream can ask for: what `zstd --ultra -22` uses.
const maxWindow = 128 << 20

func sniff(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return packedGzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return packedZstd
	case bytes.HasPrefix(head, []byte("BZh")) && len(head) > 10 && bytes.HasPrefix(head[4:], []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}):
		return packedBzip2
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return packedTar
	}
	return plain
}

// unpack reads what a compressed stream holds.
func (r *reading) unpack(in *bufio.Reader, kind packing, name string, named bool, depth int) {
	inner := name
	for _, ext := range []string{".gz", ".zst", ".bz2"} {
		inner = strings.TrimSuffix(inner, ext)
	}
	switch kind {
	case packedGzip:
		z, err := gzip.NewReader(in)
		if err != nil {
			r.fail(name, err)
			return
		}
		r.stream(z, inner, named, depth)
	case packedZstd:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			r.fail(name, err)
			return
		}
		defer z.Close()
		r.stream(z, inner, named, depth)
	case packedBzip2:
		r.stream(bzip2.NewReader(in), inner, named, depth)
	}
}

// archive reads the files of a tar archive.
func (r *reading) archive(in io.Reader, within string, depth int) {
	t := tar.NewReader(in)
	for !r.ended {
		head, err := t.Next()
		switch {
		case err == io.EOF:
			return
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			r.fail(within, err)
			return
		case head.Typeflag != tar.TypeReg:
			continue
		}
		// The name is a label and opens nothing; it is made tidy all the same.
		name := strings.TrimPrefix(path.Clean("/"+head.Name), "/")
		if isHidden(name) {
			continue
		}
		r.stream(t, path.Join(within, name), false, depth)
	}
}

func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}
