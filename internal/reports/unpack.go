package reports

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Bounds of a report's file.
const (
	// maxInflated is the most that a file may hold once it is unpacked.
	maxInflated = 20 << 20
	// maxZip bounds a zip file, which is held in memory; the bytes of others pass by.
	maxZip = 4 << 20
	// maxPacked bounds what is looked at of an attachment or file.
	maxPacked = maxInflated
	// maxRatio is how many bytes one packed byte may become. XML that repeats itself reaches 50; a bomb 1,000.
	maxRatio = 200
	// freeRatio are the bytes before the ratio counts.
	freeRatio = 1 << 20
)

// Refusals of a report's file.
var (
	errInflated = fmt.Errorf("the report holds more than %d MiB once unpacked; ask its sender what it is", maxInflated>>20)
	errPacked   = fmt.Errorf("the report's file has more than %d MiB; ask its sender what it is", maxPacked>>20)
	errZip      = fmt.Errorf("the zip file has more than %d MiB; ask its sender for gzip", maxZip>>20)
	errFiles    = errors.New("the archive holds more than one file, a report is alone in its archive; ask its sender to mend it")
	errNoFile   = errors.New("the archive is empty; ask its sender for it again")
	errLocked   = errors.New("the archive is encrypted; ask its sender to leave that")
	errNested   = errors.New("the archive holds another archive; ask its sender to mend it")
)

// form is what a file starts like.
type form int

const (
	formUnknown form = iota
	formXML
	formJSON
	formGzip
	formZip
)

// formOf looks at the first bytes, whatever a file calls itself.
func formOf(head []byte) form {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return formGzip
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return formZip
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}), bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte("<\x00")), bytes.HasPrefix(head, []byte("\x00<")):
		return formXML // UTF-16
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("<")):
		return formXML
	case bytes.HasPrefix(head, []byte("{")):
		return formJSON
	}
	return formUnknown
}

// headBytes is how much of a file is looked at to know its form.
const headBytes = 64

// unpack gives the content of a file and its form, which is no archive. What it gives ends with an error where a bound is
// reached.
func unpack(r io.Reader) (*bufio.Reader, form, error) {
	packed := &counter{r: r, most: maxPacked, tooMany: errPacked}
	in := bufio.NewReader(packed)
	head, err := in.Peek(headBytes)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, formUnknown, err
	}
	var content io.Reader
	switch f := formOf(head); f {
	case formGzip:
		content, err = gzip.NewReader(in)
	case formZip:
		content, err = unzip(in)
	default:
		return in, f, nil
	}
	if err != nil {
		return nil, formUnknown, brokenArchive(err)
	}
	out := bufio.NewReader(&inflated{counter{r: content, most: maxInflated, tooMany: errInflated}, packed})
	head, err = out.Peek(headBytes)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, formUnknown, brokenArchive(err)
	}
	f := formOf(head)
	if f == formGzip || f == formZip {
		return nil, formUnknown, errNested
	}
	return out, f, nil
}

func brokenArchive(err error) error {
	if isRefusal(err) {
		return err
	}
	return fmt.Errorf("the archive cannot be unpacked (%w); ask its sender for it again", err)
}

// isRefusal tells our own words from those of the libraries.
func isRefusal(err error) bool {
	for _, own := range []error{errInflated, errPacked, errZip, errFiles, errNoFile, errLocked, errNested} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// unzip opens the only file of a zip archive.
func unzip(r io.Reader) (io.Reader, error) {
	packed, err := io.ReadAll(io.LimitReader(r, maxZip+1))
	if err != nil {
		return nil, err
	}
	if len(packed) > maxZip {
		return nil, errZip
	}
	// Before the library lists what may be tens of thousands of files.
	if bytes.Count(packed, []byte("PK\x01\x02")) > 100 {
		return nil, errFiles
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(z.File, isBeside)
	switch {
	case len(files) == 0:
		return nil, errNoFile
	case len(files) > 1:
		return nil, errFiles
	case files[0].Flags&1 != 0:
		return nil, errLocked
	}
	return files[0].Open()
}

// isBeside: an entry is a folder, or one of those that macOS adds for its own use.
func isBeside(f *zip.File) bool {
	return strings.HasSuffix(f.Name, "/") || strings.HasPrefix(f.Name, "__MACOSX/") || path.Base(f.Name) == ".DS_Store"
}

// counter counts the bytes that pass and refuses too many.
type counter struct {
	r       io.Reader
	n, most int64
	tooMany error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > c.most {
		return 0, c.tooMany
	}
	return n, err
}

// inflated refuses as well what grows too much in relation to what it is made from.
type inflated struct {
	counter
	packed *counter
}

func (i *inflated) Read(p []byte) (int, error) {
	n, err := i.counter.Read(p)
	if i.n > freeRatio && i.n > maxRatio*i.packed.n {
		return 0, errInflated
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = brokenArchive(err)
	}
	return n, err
}
