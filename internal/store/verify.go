package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"postern/internal/db"
)

// Damage is one thing that is not as it must be.
type Damage struct {
	Account AccountID // 0 when it concerns none, or several
	Mailbox string
	UID     uint32
	Blob    BlobID
	What    string
}

func (d Damage) String() string {
	s := d.What
	if d.Blob != 0 {
		s = fmt.Sprintf("blob %d: %s", d.Blob, s)
	}
	if d.UID != 0 {
		s = fmt.Sprintf("UID %d: %s", d.UID, s)
	}
	if d.Mailbox != "" {
		s = fmt.Sprintf("mailbox %q: %s", d.Mailbox, s)
	}
	if d.Account != 0 {
		s = fmt.Sprintf("account %d: %s", d.Account, s)
	}
	return s
}

// Report is what [Store.Verify] found.
type Report struct {
	Checked int // records: mailboxes, messages, originals, tombstones, annotations, blobs
	Damage  []Damage
}

// CountBlobUse tells Verify of others that hold references to blobs: query gives rows of blob and number of references.
func (s *Store) CountBlobUse(query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobUses = append(s.blobUses, query)
}

// Verify reads everything there is and checks every checksum, every count and every reference. It may run beside a
// working server: what belongs together is read from one snapshot. progress may be nil.
func (s *Store) Verify(ctx context.Context, progress func(done, total int)) (Report, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	v := &verifier{s: s, ctx: ctx, progress: progress, names: map[int64]string{}}
	for _, step := range []func() error{v.engine, v.structure, v.blobs, v.files} {
		if err := step(); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verifier struct {
	s        *Store
	ctx      context.Context
	progress func(done, total int)
	report   Report
	total    int
	names    map[int64]string // mailboxes
}

func (v *verifier) damage(d Damage, format string, args ...any) {
	d.What = fmt.Sprintf(format, args...)
	v.report.Damage = append(v.report.Damage, d)
}

func (v *verifier) checked() {
	if v.report.Checked++; v.report.Checked%1000 == 0 {
		v.progress(v.report.Checked, max(v.total, v.report.Checked))
	}
}

// engine asks the database engine about its own pages.
func (v *verifier) engine() error {
	faults, err := v.s.db.Check(v.ctx)
	for _, f := range faults {
		v.damage(Damage{}, "database: %s", f)
	}
	return err
}

// each runs a query and calls fn for each row.
func each(q querier, fn func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return closeRows(rows)
}

// original is what structure knows of a row of originals.
type original struct{ account, blob, refs, size int64 }

// structure checks rows, counts and references on one snapshot.
func (v *verifier) structure() error {
	return v.s.db.View(v.ctx, func(tx *db.ReadTx) error {
		err := tx.QueryRow(`SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM originals) + (SELECT count(*) FROM mailboxes) +
			(SELECT count(*) FROM tombstones) + (SELECT count(*) FROM annotations) + (SELECT count(*) FROM blobs)`).Scan(&v.total)
		if err != nil {
			return err
		}
		blobs, sizes := map[int64]int64{}, map[int64]int64{}
		if err := each(tx, func(scan func(...any) error) error {
			var id, refs, size int64
			err := scan(&id, &refs, &size)
			blobs[id], sizes[id] = refs, size
			return err
		}, `SELECT id, refs, size FROM blobs`); err != nil {
			return err
		}
		originals, err := v.originals(tx, blobs, sizes)
		if err != nil {
			return err
		}
		if err := v.mailboxes(tx, originals); err != nil {
			return err
		}
		if err := v.references(tx, originals, blobs); err != nil {
			return err
		}
		if err := v.annotations(tx); err != nil {
			return err
		}
		return v.tombstones(tx)
	})
}

// annotations checks their checksums, and that the mailboxes are there.
func (v *verifier) annotations(tx *db.ReadTx) error {
	return each(tx, func(scan func(...any) error) error {
		var account, mailbox, crc int64
		var entry string
		var value []byte
		if err := scan(&account, &mailbox, &entry, &crc, &value); err != nil {
			return err
		}
		v.checked()
		name, known := v.names[mailbox]
		if mailbox != 0 && !known {
			v.damage(Damage{Account: AccountID(account)}, "annotation %s is of mailbox %d, which is not there", entry, mailbox)
		}
		if annotationCRC(account, mailbox, entry, value) != crc {
			v.damage(Damage{Account: AccountID(account), Mailbox: name}, "annotation %s does not match its checksum", entry)
		}
		return nil
	}, `SELECT account, mailbox, entry, crc, value FROM annotations`)
}

// originals checks the rows of originals and takes their share from the counts of blobs.
func (v *verifier) originals(tx *db.ReadTx, blobs, sizes map[int64]int64) (map[int64]*original, error) {
	found := map[int64]*original{}
	err := each(tx, func(scan func(...any) error) error {
		var id, crc int64
		var prefix []byte
		o := &original{}
		if err := scan(&id, &o.account, &o.blob, &o.refs, &prefix, &crc); err != nil {
			return err
		}
		v.checked()
		found[id] = o
		at := Damage{Account: AccountID(o.account), Blob: BlobID(o.blob)}
		if originalCRC(o.account, o.blob, prefix) != crc {
			v.damage(at, "original %d: checksum of the prefix", id)
		}
		if _, ok := blobs[o.blob]; !ok {
			v.damage(at, "original %d: its blob is missing", id)
		}
		blobs[o.blob]--
		o.size = sizes[o.blob] + int64(len(prefix))
		return nil
	}, `SELECT id, account, blob, refs, prefix, crc FROM originals`)
	return found, err
}

// boxCount is what a mailbox's row says, less what its messages say.
type boxCount struct {
	v        version
	messages int64
	unseen   int64
	deleted  int64
	size     int64
}

// mailboxes checks mailboxes, their messages and the accounts' counters.
func (v *verifier) mailboxes(tx *db.ReadTx, originals map[int64]*original) error {
	boxes := map[int64]*boxCount{}
	accounts := map[int64]*counters{}
	if err := each(tx, func(scan func(...any) error) error {
		var id, modseq int64
		c := &counters{}
		err := scan(&id, &modseq, &c.usedBytes, &c.usedMessages)
		c.modseq = uint64(modseq)
		accounts[id] = c
		return err
	}, `SELECT id, modseq, used_bytes, used_messages FROM store_accounts`); err != nil {
		return err
	}
	if err := each(tx, func(scan func(...any) error) error {
		b := &boxCount{}
		var highest, crc int64
		if err := scan(&b.v.id, &b.v.account, &b.v.name, &b.v.uidvalidity, &b.v.specialUse, &crc, &b.v.uidnext, &highest,
			&b.messages, &b.unseen, &b.deleted, &b.size); err != nil {
			return err
		}
		v.checked()
		b.v.highest = uint64(highest)
		boxes[b.v.id], v.names[b.v.id] = b, b.v.name
		at := Damage{Account: AccountID(b.v.account), Mailbox: b.v.name}
		if boxCRC(&b.v) != crc {
			v.damage(at, "checksum of the mailbox")
		}
		a := accounts[b.v.account]
		if a == nil {
			v.damage(at, "its account is missing")
			return nil
		}
		if b.v.highest > a.modseq {
			v.damage(at, "modseq %d is above the account's %d", b.v.highest, a.modseq)
		}
		a.usedBytes -= b.size
		a.usedMessages -= b.messages
		return nil
	}, `SELECT id, account, name, uidvalidity, special_use, crc, uidnext, highest_modseq, messages, unseen, deleted, size FROM mailboxes`); err != nil {
		return err
	}
	if err := v.messages(tx, boxes, originals); err != nil {
		return err
	}
	for _, b := range boxes {
		if b.messages != 0 || b.unseen != 0 || b.deleted != 0 || b.size != 0 {
			v.damage(Damage{Account: AccountID(b.v.account), Mailbox: b.v.name}, "counters are off by %d messages, %d unseen, %d deleted, %d bytes",
				b.messages, b.unseen, b.deleted, b.size)
		}
	}
	for id, a := range accounts {
		if a.usedBytes != 0 || a.usedMessages != 0 {
			v.damage(Damage{Account: AccountID(id)}, "quota counters are off by %d bytes, %d messages", a.usedBytes, a.usedMessages)
		}
	}
	return nil
}

// messages checks the rows of messages and takes their share from every count.
func (v *verifier) messages(tx *db.ReadTx, boxes map[int64]*boxCount, originals map[int64]*original) error {
	dead := map[int64]bool{}
	if err := each(tx, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		dead[id] = true
		return err
	}, `SELECT mailbox FROM dead_mailboxes`); err != nil {
		return err
	}
	return each(tx, func(scan func(...any) error) error {
		var mailbox, account, modseq, flags, crc int64
		var r row
		if err := scan(&mailbox, &r.uid, &account, &modseq, &flags, &r.size, &r.internal, &r.original, &r.blob, &crc); err != nil {
			return err
		}
		v.checked()
		r.modseq, r.flags = uint64(modseq), Flags(flags)
		at := Damage{Account: AccountID(account), Mailbox: v.names[mailbox], UID: r.uid, Blob: BlobID(r.blob)}
		if messageCRC(account, r) != crc {
			v.damage(at, "checksum of the message's row")
		}
		o := originals[r.original]
		switch {
		case o == nil:
			v.damage(at, "original %d is missing", r.original)
		case o.account != account || o.blob != r.blob:
			v.damage(at, "original %d is of account %d and blob %d", r.original, o.account, o.blob)
		case o.size != int64(r.size):
			v.damage(at, "size %d instead of %d", r.size, o.size)
		}
		if o != nil {
			o.refs--
		}
		b := boxes[mailbox]
		switch {
		case b == nil && !dead[mailbox]:
			v.damage(at, "mailbox %d is missing", mailbox)
		case b != nil:
			v.count(b, account, r, at)
		}
		return nil
	}, `SELECT mailbox, uid, account, modseq, flags, size, internal, original, blob, crc FROM messages`)
}

func (v *verifier) count(b *boxCount, account int64, r row, at Damage) {
	b.messages--
	b.size -= int64(r.size)
	if r.flags&Seen == 0 {
		b.unseen--
	}
	if r.flags&Deleted != 0 {
		b.deleted--
	}
	if b.v.account != account {
		v.damage(at, "is in a mailbox of account %d", b.v.account)
	}
	if r.uid == 0 || r.uid >= b.v.uidnext {
		v.damage(at, "is not below UIDNEXT %d", b.v.uidnext)
	}
	if r.modseq > b.v.highest {
		v.damage(at, "modseq %d is above the mailbox's %d", r.modseq, b.v.highest)
	}
}

// references compares the counts of references with those found.
func (v *verifier) references(tx *db.ReadTx, originals map[int64]*original, blobs map[int64]int64) error {
	if err := each(tx, func(scan func(...any) error) error {
		var id, delta int64
		err := scan(&id, &delta)
		if o := originals[id]; o != nil {
			o.refs += delta
		}
		return err
	}, `SELECT original, delta FROM ref_log`); err != nil {
		return err
	}
	for id, o := range originals {
		if o.refs != 0 {
			v.damage(Damage{Account: AccountID(o.account), Blob: BlobID(o.blob)}, "original %d: references are off by %d", id, o.refs)
		}
	}
	v.s.mu.RLock()
	uses := slices.Clone(v.s.blobUses)
	v.s.mu.RUnlock()
	for _, query := range uses {
		if err := each(tx, func(scan func(...any) error) error {
			var id, n int64
			err := scan(&id, &n)
			blobs[id] -= n
			return err
		}, query); err != nil {
			return err
		}
	}
	for id, left := range blobs {
		if left != 0 {
			v.damage(Damage{Blob: BlobID(id)}, "references are off by %d", left)
		}
	}
	return nil
}

func (v *verifier) tombstones(tx *db.ReadTx) error {
	return each(tx, func(scan func(...any) error) error {
		var box version
		var r uidRange
		var modseq, at, crc int64
		if err := scan(&box.id, &modseq, &r.first, &r.last, &box.account, &at, &crc); err != nil {
			return err
		}
		v.checked()
		if tombstoneCRC(&box, uint64(modseq), r, at) != crc {
			v.damage(Damage{Account: AccountID(box.account), Mailbox: v.names[box.id]}, "checksum of the tombstone of UIDs %d to %d", r.first, r.last)
		}
		return nil
	}, `SELECT mailbox, modseq, first, last, account, at, crc FROM tombstones`)
}

// blobs reads every blob, some at a time so that no snapshot is held for long.
func (v *verifier) blobs() error {
	last := int64(0)
	for {
		var batch []blobRow
		err := each(poolQuerier{v.s.db, v.ctx}, func(scan func(...any) error) error {
			var b blobRow
			err := scan(&b.id, &b.hash, &b.size, &b.file, &b.crc, &b.meta, &b.metaCRC, &b.data)
			batch = append(batch, b)
			return err
		}, `SELECT b.id, b.hash, b.size, b.file, b.crc, b.meta, b.meta_crc, d.data FROM blobs b LEFT JOIN blob_data d ON d.blob = b.id
			WHERE b.id > ? ORDER BY b.id LIMIT 200`, last)
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, b := range batch {
			last = b.id
			v.checked()
			if what := v.blob(b); what != "" {
				if err := v.blobDamage(b.id, what); err != nil {
					return err
				}
			}
		}
	}
}

type blobRow struct {
	storedBlob
	meta    []byte
	metaCRC int64
}

// poolQuerier reads outside of a transaction.
type poolQuerier struct {
	d   *db.DB
	ctx context.Context
}

func (p poolQuerier) Query(query string, args ...any) (*sql.Rows, error) {
	return p.d.Query(p.ctx, query, args...)
}

// blob tells what is wrong with a blob, "" for nothing.
func (v *verifier) blob(b blobRow) string {
	if metaCRC(b.hash, b.size, b.file, b.meta) != b.metaCRC {
		return "checksum of its row"
	}
	if b.file != 0 {
		crc, err := v.fileCRC(b)
		if err != nil {
			return err.Error()
		}
		if int64(crc) != b.crc {
			return "checksum of its file"
		}
	}
	c, err := v.s.openStored(b.storedBlob, nil)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(c, 0, c.Size())); err != nil {
		return err.Error()
	}
	if !slices.Equal(h.Sum(nil), b.hash) {
		return "hash of its content"
	}
	return ""
}

func (v *verifier) fileCRC(b blobRow) (uint32, error) {
	f, _, err := v.s.files.open([32]byte(b.hash), b.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	_, err = io.Copy(h, f)
	return h.Sum32(), err
}

// blobDamage names the messages that a damaged blob belongs to; unless the blob was removed in the meantime.
func (v *verifier) blobDamage(id int64, what string) error {
	var still int64
	err := v.s.db.QueryRow(v.ctx, `SELECT id FROM blobs WHERE id = ?`, id).Scan(&still)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	named := false
	err = each(poolQuerier{v.s.db, v.ctx}, func(scan func(...any) error) error {
		var account, mailbox int64
		var uid uint32
		err := scan(&account, &mailbox, &uid)
		named = true
		v.damage(Damage{Account: AccountID(account), Mailbox: v.names[mailbox], UID: uid, Blob: BlobID(id)}, "%s", what)
		return err
	}, `SELECT account, mailbox, uid FROM messages WHERE blob = ? LIMIT 1000`, id)
	if !named {
		v.damage(Damage{Blob: BlobID(id)}, "%s", what)
	}
	return err
}

// files looks for files that nothing names.
func (v *verifier) files() error {
	for shard := range 256 {
		orphans, err := v.s.orphans(v.ctx, byte(shard))
		if err != nil {
			return err
		}
		for _, path := range orphans {
			// One that the reaper has just taken is no orphan.
			if _, err := os.Stat(path); err == nil {
				v.damage(Damage{}, "file %s: no message names it", path)
			}
		}
	}
	v.progress(v.report.Checked, v.report.Checked)
	return nil
}
