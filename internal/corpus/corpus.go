package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Message is one message of a corpus.
type Message struct {
	// Name tells where it lies, relative to the path that was named, with slashes: "ham/0001", "inbox.mbox/17".
	Name string
	// Body is the whole message, header and all, with the line ends that it has. It is overwritten by the next message.
	Body []byte
}

// Limits bound a reading; a zero field is the default.
type Limits struct {
	// MessageBytes is the largest message that is read; 64 MiB by default.
	MessageBytes int64
	// Messages is after how many the reading ends with an error; ten million by default.
	Messages int
}

var (
	// ErrTooLarge means that a message is larger than the limits allow. It is passed over.
	ErrTooLarge = errors.New("message is too large")
	// ErrTooMany means that there are more messages than the limits allow. The reading ends.
	ErrTooMany = errors.New("too many messages")
	// ErrTooDeep means that archives lie within archives. What lies in there is passed over.
	ErrTooDeep = errors.New("archives lie too deep in each other; unpack the outer ones")
)

// maxDepth is how many layers of packing are taken off: a compressed tar within a compressed tar.
const maxDepth = 4

// Messages reads what lies at a path: all of a folder, in the order of the names, hidden files left out and symbolic links
// in it not followed; or a file. An error stands in the place of what could not be read, with the Name of it, and begins with
// where that lies.
func Messages(root string, limits Limits) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		r := newReading(root, limits, yield)
		info, err := os.Stat(root)
		switch {
		case err != nil:
			r.fail("", err)
		case info.IsDir():
			// A link that was named is meant; the walk would not follow it.
			if real, err := filepath.EvalSymlinks(root); err == nil {
				root = real
			}
			r.folder(root)
		default:
			r.file(root, "", true)
		}
	}
}

// MessagesFrom is [Messages] of a stream, such as standard input.
func MessagesFrom(in io.Reader, limits Limits) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		newReading("standard input", limits, yield).stream(in, "", true, 0)
	}
}

// Label tells from a message's name whether it is meant as spam or as ham: by the innermost folder that says so, such as
// "easy_ham_2", or else by its file. What holds it all often says both: "enron-spam/ham/0001".
func Label(name string) (spam, known bool) {
	folder, file := path.Split(name)
	if spam, known = LabelOfPath(folder); known {
		return spam, known
	}
	return labelOf(file)
}

// LabelOfPath tells from a path that somebody named, such as "spam-filter/easy_ham", what lies in there: by the last of its
// names that says so. Those before it only lead there.
func LabelOfPath(named string) (spam, known bool) {
	for _, name := range slices.Backward(strings.Split(filepath.ToSlash(named), "/")) {
		if spam, known = labelOf(name); known {
			break
		}
	}
	return spam, known
}

// labelOf tells from a single name: by the words "spam", "junk" and "ham" in it, unless it has words for both.
func labelOf(name string) (spam, known bool) {
	ham := false
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return r < 'a' || r > 'z' }) {
		switch word {
		case "spam", "junk":
			spam = true
		case "ham":
			ham = true
		}
	}
	return spam && !ham, spam != ham
}

// reading is one pass over a corpus.
type reading struct {
	root   string // where it was begun
	limits Limits
	yield  func(Message, error) bool
	count  int
	buf    []byte
	ended  bool
	// readers are used again for each file, one for each layer of packing.
	readers [maxDepth + 1]*bufio.Reader
}

func newReading(root string, limits Limits, yield func(Message, error) bool) *reading {
	if limits.MessageBytes <= 0 {
		limits.MessageBytes = 64 << 20
	}
	if limits.Messages <= 0 {
		limits.Messages = 10_000_000
	}
	return &reading{root: root, limits: limits, yield: yield}
}

// give hands over a message.
func (r *reading) give(name string, body []byte) {
	if r.ended {
		return
	}
	if r.count++; r.count > r.limits.Messages {
		r.fail(name, fmt.Errorf("%w: more than %d", ErrTooMany, r.limits.Messages))
		r.ended = true
		return
	}
	if !r.yield(Message{Name: name, Body: body}, nil) {
		r.ended = true
	}
}

// fail hands over an error.
func (r *reading) fail(name string, err error) {
	if r.ended {
		return
	}
	where := name
	if where == "" {
		where = r.root
	}
	// What the system says of a file repeats its path, which is said already.
	var bare *fs.PathError
	if errors.As(err, &bare) {
		err = bare.Err
	}
	err = fmt.Errorf("%s: %w", where, err)
	if !r.yield(Message{Name: name}, err) {
		r.ended = true
	}
}

func (r *reading) folder(root string) {
	err := filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		name := relative(root, at)
		switch {
		case r.ended:
			return fs.SkipAll
		case err != nil:
			r.fail(name, err)
			return nil
		case at != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			r.file(at, name, false)
		}
		return nil
	})
	if err != nil {
		r.fail("", err)
	}
}

func relative(root, at string) string {
	name, err := filepath.Rel(root, at)
	if err != nil {
		return filepath.Base(at)
	}
	return filepath.ToSlash(name)
}

// file reads one file. named says that it is what the caller asked for, not something found in a folder.
func (r *reading) file(at, name string, named bool) {
	f, err := os.Open(at)
	if err != nil {
		r.fail(name, err)
		return
	}
	defer f.Close()
	if named {
		// Relative to itself a file has no name; its own is the best there is.
		name = filepath.Base(at)
	}
	r.stream(f, name, named, 0)
}

// stream reads a message, an mbox or an archive.
func (r *reading) stream(in io.Reader, name string, named bool, depth int) {
	b := r.buffered(in, depth)
	head, err := b.Peek(512)
	if err != nil && err != io.EOF {
		r.fail(name, err)
		return
	}
	kind := sniff(head)
	if depth >= maxDepth && kind != plain {
		r.fail(name, ErrTooDeep)
		return
	}
	switch {
	case len(head) == 0:
		// An empty file is no message.
	case kind == packedTar:
		r.archive(b, inside(name, named), depth+1)
	case kind != plain:
		r.unpack(b, kind, name, named, depth+1)
	case isMbox(name) || named && isSeparator(firstLine(head)):
		r.mbox(b, name)
	default:
		r.single(b, name)
	}
}

func (r *reading) buffered(in io.Reader, depth int) *bufio.Reader {
	if r.readers[depth] == nil {
		r.readers[depth] = bufio.NewReaderSize(in, 64<<10)
	}
	r.readers[depth].Reset(in)
	return r.readers[depth]
}

// inside is what the names of an archive's members begin with: nothing when the archive is what was asked for.
func inside(name string, named bool) string {
	if named {
		return ""
	}
	return name
}

func isMbox(name string) bool {
	ext := path.Ext(name)
	return strings.EqualFold(ext, ".mbox") || strings.EqualFold(ext, ".mbx")
}

// single reads a file that is one message.
func (r *reading) single(in *bufio.Reader, name string) {
	dropSeparator(in)
	r.buf = r.buf[:0]
	for {
		piece, err := in.ReadSlice('\n')
		if int64(len(r.buf)+len(piece)) > r.limits.MessageBytes {
			r.fail(name, fmt.Errorf("%w: over %d bytes", ErrTooLarge, r.limits.MessageBytes))
			return
		}
		r.buf = append(r.buf, piece...)
		switch {
		case err == io.EOF:
			r.give(name, r.buf)
			return
		case err != nil && err != bufio.ErrBufferFull:
			r.fail(name, err)
			return
		}
	}
}
