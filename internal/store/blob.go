package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"sync/atomic"

	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/spool"
)

// BlobID names stored bytes; see [Store.RefBlobTx].
type BlobID int64

// maxBlobSize leaves room for a prefix in the 32 bits that a message's size has in memory.
const maxBlobSize = math.MaxUint32 - maxPrefix

// Prepared is a message whose bytes are packed and ready to be stored. It is used for one message, in one or more
// transactions, and then discarded.
type Prepared struct {
	s     *Store
	hash  [32]byte
	size  int64
	meta  message.Meta
	crc   uint32
	data  []byte // the stored form, unless it is in a file
	file  int64  // number of the file, 0 for none
	named atomic.Bool
	ended atomic.Bool
	// generation is the store's when the file was made.
	generation uint64
}

// Size is the length of the message in bytes, without any prefix.
func (p *Prepared) Size() int64 { return p.size }

// SHA256 is the hash of the message.
func (p *Prepared) SHA256() [32]byte { return p.hash }

// Meta is what was given to Prepare.
func (p *Prepared) Meta() message.Meta { return p.meta }

// Prepare packs a message. One that stays above 64 KiB goes to a file that is durable when Prepare returns; whatever
// happens then, call Discard in the end. meta is what message.Message.Meta gave; the store keeps it beside the bytes.
func (s *Store) Prepare(ctx context.Context, c *spool.Content, meta message.Meta) (*Prepared, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.Size() > maxBlobSize {
		return nil, fmt.Errorf("message of %d bytes: %w", c.Size(), ErrTooMany)
	}
	p := &Prepared{s: s, hash: c.SHA256(), size: c.Size(), meta: meta, generation: s.generation.Load()}
	w := &spill{p: p}
	crc, err := s.codec.pack(w, c, c.Size())
	if err == nil && w.f != nil {
		err = s.files.finish(w.f, p.hash)
		w.f = nil
	}
	if err != nil {
		if w.f != nil {
			err = errors.Join(err, w.f.Close())
		}
		p.Discard()
		return nil, db.Full(err)
	}
	p.crc, p.data = crc, w.buf
	return p, nil
}

// Discard removes the file, if there is one and no stored message names it. It may be called more than once. Where a commit
// since was lost on its way, a message may name the file and nobody here knows: it stays for the sweep of the next start,
// which asks the database.
func (p *Prepared) Discard() {
	if p == nil || p.ended.Swap(true) || p.file == 0 || p.named.Load() || p.generation != p.s.generation.Load() {
		return
	}
	if err := p.s.files.remove(p.hash, p.file); err != nil {
		p.s.log.Warn("blob file cannot be removed", "error", err)
	}
}

// spill collects the stored form in memory and moves to a file when it grows too large.
type spill struct {
	p   *Prepared
	buf []byte
	f   *os.File
}

func (w *spill) Write(b []byte) (int, error) {
	if w.f != nil {
		return w.f.Write(b)
	}
	if len(w.buf)+len(b) <= inlineLimit {
		if w.buf == nil && w.p.size <= frameSize {
			w.buf = bytes.Clone(b)
		} else {
			w.buf = append(w.buf, b...)
		}
		return len(b), nil
	}
	f, number, err := w.p.s.files.create(w.p.hash)
	if err != nil {
		return 0, err
	}
	w.f, w.p.file = f, number
	head := w.buf
	w.buf = nil
	if _, err := f.Write(head); err != nil {
		return 0, err
	}
	return f.Write(b)
}

// metaCRC is the checksum of a row of blobs.
func metaCRC(hash []byte, size, file int64, meta []byte) int64 {
	var n [16]byte
	binary.LittleEndian.PutUint64(n[:8], uint64(size))
	binary.LittleEndian.PutUint64(n[8:], uint64(file))
	crc := crc32.Update(crc32.Checksum(hash, castagnoli), castagnoli, n[:])
	return int64(crc32.Update(crc, castagnoli, meta))
}

// crcOf is the checksum over numbers.
func crcOf(numbers ...int64) uint32 {
	var b [10 * 8]byte
	buf := b[:0]
	for _, n := range numbers {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(n))
	}
	return crc32.Checksum(buf, castagnoli)
}

// putBlob stores the bytes, unless they are there already, and counts refs references.
func (s *Store) putBlob(tx *db.Tx, p *Prepared, refs int) (int64, error) {
	id := s.newID()
	meta := []byte(p.meta)
	if meta == nil {
		meta = []byte{}
	}
	// Not one statement with RETURNING: for that SQLite makes a table of its own and throws it away, which costs more than all
	// the rest of it.
	fresh, err := tx.Exec(`INSERT INTO blobs (id, hash, size, refs, file, crc, meta, meta_crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (hash) DO NOTHING`, id, p.hash[:], p.size, refs, p.file, int64(p.crc), meta, metaCRC(p.hash[:], p.size, p.file, meta))
	if err != nil {
		return 0, err
	}
	if fresh == 0 {
		return s.refBlob(tx, p.hash, refs)
	}
	if p.file != 0 {
		if p.named.Load() || p.ended.Load() {
			return 0, fmt.Errorf("a prepared message was used after its end: %w", ErrGone)
		}
		tx.OnCommit(func() {
			p.named.Store(true)
			s.files.settle(p.file)
		})
		return id, nil
	}
	_, err = tx.Exec(`INSERT INTO blob_data (blob, data) VALUES (?, ?)`, id, p.data)
	return id, err
}

// refBlob counts references to bytes that are there.
func (s *Store) refBlob(tx *db.Tx, hash [32]byte, refs int) (id int64, err error) {
	if err := tx.QueryRow(`SELECT id FROM blobs WHERE hash = ?`, hash[:]).Scan(&id); err != nil {
		return 0, err
	}
	_, err = tx.Exec(`UPDATE blobs SET refs = refs + ? WHERE id = ?`, int64(refs), id)
	return id, err
}

// RefBlobTx stores the bytes, unless they are there already, and counts one reference, for the queue.
func (s *Store) RefBlobTx(tx *db.Tx, p *Prepared) (BlobID, error) {
	s.stage(tx)
	id, err := s.putBlob(tx, p, 1)
	return BlobID(id), err
}

// ReleaseBlobTx takes one reference back; bytes that nothing names are removed.
func (s *Store) ReleaseBlobTx(tx *db.Tx, id BlobID) error {
	if _, err := tx.Exec(`UPDATE blobs SET refs = refs - 1 WHERE id = ?`, int64(id)); err != nil {
		return err
	}
	var hash []byte
	var file int64
	err := tx.QueryRow(`DELETE FROM blobs WHERE id = ? AND refs <= 0 RETURNING hash, file`, int64(id)).Scan(&hash, &file)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if file == 0 {
		_, err = tx.Exec(`DELETE FROM blob_data WHERE blob = ?`, int64(id))
		return err
	}
	tx.OnCommit(func() { s.reaper.removeFile([32]byte(hash), file) })
	return nil
}

// Content is stored bytes, checked against their checksums while they are read. Not to be read after Close.
type Content interface {
	io.ReaderAt
	Size() int64
	Close() error
}

// MessageContent is a message: its prefix, then the blob.
type MessageContent interface {
	Content
	// PrefixLen is to be added to the offsets in message.Meta, which count from the start of the blob.
	PrefixLen() int64
}

// content is an open message or blob.
type content struct {
	prefix []byte
	size   int64 // of the blob
	bytes  []byte
	framed *framed
	file   *os.File
}

func (c *content) Size() int64      { return int64(len(c.prefix)) + c.size }
func (c *content) PrefixLen() int64 { return int64(len(c.prefix)) }

// Bytes gives the blob, without the prefix, when it is whole in memory.
func (c *content) Bytes() ([]byte, bool) { return c.bytes, c.framed == nil }

// Prefix gives the trace fields before the blob.
func (c *content) Prefix() []byte { return c.prefix }

func (c *content) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("store: negative offset")
	}
	if off < int64(len(c.prefix)) {
		n = copy(p, c.prefix[off:])
		off += int64(n)
	}
	if n == len(p) {
		return n, nil
	}
	off -= int64(len(c.prefix))
	if c.framed != nil {
		k, err := c.framed.ReadAt(p[n:], off)
		return n + k, err
	}
	if off >= int64(len(c.bytes)) {
		return n, io.EOF
	}
	k := copy(p[n:], c.bytes[off:])
	if n += k; n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close ends the reading.
func (c *content) Close() error {
	if c.framed != nil {
		c.framed.close()
	}
	if c.file != nil {
		f := c.file
		c.file = nil
		return f.Close()
	}
	return nil
}

// storedBlob is a row of blobs with its inline bytes.
type storedBlob struct {
	id, size, file, crc int64
	hash, data          []byte
}

// open readies a blob for reading behind a prefix.
func (s *Store) openStored(b storedBlob, prefix []byte) (*content, error) {
	c := &content{prefix: prefix, size: b.size}
	var err error
	if b.file == 0 {
		if crc32.Checksum(b.data, castagnoli) != uint32(b.crc) {
			return nil, fmt.Errorf("blob %d: %w: checksum", b.id, ErrDamaged)
		}
		if trailerLen(b.size) == 0 {
			if c.bytes, err = s.codec.unpack(b.data, b.size); err != nil {
				return nil, fmt.Errorf("blob %d: %w", b.id, err)
			}
			return c, nil
		}
		// A large message that packs well: unpacked as it is read, lest a few bytes of disk become much memory.
		inMemory := bytes.NewReader(b.data)
		table, err := readTable(inMemory, int64(len(b.data)), b.size)
		if err != nil {
			return nil, fmt.Errorf("blob %d: %w", b.id, err)
		}
		c.framed = &framed{c: s.codec, f: inMemory, size: b.size, frame: -1, table: table}
		return c, nil
	}
	var stored int64
	if c.file, stored, err = s.files.open([32]byte(b.hash), b.file); err != nil {
		return nil, fmt.Errorf("blob %d: %w", b.id, err)
	}
	r := &framed{c: s.codec, f: c.file, size: b.size, frame: -1}
	if trailerLen(b.size) > 0 {
		r.table, err = readTable(c.file, stored, b.size)
	} else {
		r.table = frameTable{offsets: []int64{0, stored}, crcs: []uint32{uint32(b.crc)}}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("blob %d: %w", b.id, err), c.Close())
	}
	c.framed = r
	return c, nil
}

// OpenBlob opens bytes that RefBlobTx stored.
func (s *Store) OpenBlob(ctx context.Context, id BlobID) (Content, error) {
	b := storedBlob{id: int64(id)}
	err := s.db.QueryRow(ctx, `SELECT b.hash, b.size, b.file, b.crc, d.data FROM blobs b LEFT JOIN blob_data d ON d.blob = b.id
		WHERE b.id = ?`, int64(id)).Scan(&b.hash, &b.size, &b.file, &b.crc, &b.data)
	if errors.Is(err, db.ErrNoRows) {
		return nil, fmt.Errorf("blob %d: %w", id, ErrGone)
	}
	if err != nil {
		return nil, err
	}
	return s.openStored(b, nil)
}

// openOriginal opens a message of the account by its original.
func (s *Store) openOriginal(ctx context.Context, account AccountID, original int64) (*content, error) {
	var b storedBlob
	var prefix []byte
	var crc int64
	err := s.db.QueryRow(ctx, `SELECT o.prefix, o.crc, b.id, b.hash, b.size, b.file, b.crc, d.data FROM originals o
		JOIN blobs b ON b.id = o.blob LEFT JOIN blob_data d ON d.blob = b.id WHERE o.id = ? AND o.account = ?`,
		original, int64(account)).Scan(&prefix, &crc, &b.id, &b.hash, &b.size, &b.file, &b.crc, &b.data)
	if errors.Is(err, db.ErrNoRows) {
		return nil, fmt.Errorf("message %d: %w", original, ErrGone)
	}
	if err != nil {
		return nil, err
	}
	if originalCRC(int64(account), b.id, prefix) != crc {
		return nil, fmt.Errorf("message %d: %w: prefix", original, ErrDamaged)
	}
	return s.openStored(b, prefix)
}

// originalCRC is the checksum of a row of originals.
func originalCRC(account, blob int64, prefix []byte) int64 {
	return int64(crc32.Update(crcOf(account, blob), castagnoli, prefix))
}
