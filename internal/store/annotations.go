package store

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"strings"

	"postern/internal/db"
)

// Bounds of annotations. RFC 5464 4.3 lets a server have some; their number and bytes are counted for the whole account.
const (
	// MaxAnnotation is the largest value, in bytes.
	MaxAnnotation        = 32 << 10
	maxAnnotationName    = 1000
	maxAnnotations       = 2000
	maxAnnotationBytes   = 2 << 20
	maxAnnotationsAtOnce = 100
)

// ScriptEntry is the annotation that names the script which runs for what is done in a mailbox (RFC 6785 2.3.1).
const ScriptEntry = "/shared/imapsieve/script"

// What callers of [Account.Annotate] tell apart.
var (
	// ErrBadAnnotation: there can be no annotation of that name.
	ErrBadAnnotation = errors.New("not a name that an annotation can have")
	// ErrAnnotationSize: the value is larger than [MaxAnnotation].
	ErrAnnotationSize = errors.New("the value is too large")
	// ErrAnnotationRoom: the account has too many annotations, or too large ones.
	ErrAnnotationRoom = errors.New("too many annotations")
)

// Annotation is a value that a client has given a mailbox, or the server (RFC 5464).
type Annotation struct {
	// Entry is its name, such as "/shared/comment". Names have no case; they are kept in lower case.
	Entry string
	// Value is any bytes; nil for none.
	Value []byte
}

// cleanEntry gives the one form of an annotation's name (RFC 5464 4.1).
func cleanEntry(name string) (string, error) {
	lower := strings.ToLower(name)
	bad := func(r rune) bool { return r < ' ' || r >= 0x7f || r == '*' || r == '%' }
	switch {
	case !strings.HasPrefix(lower, "/shared/") && !strings.HasPrefix(lower, "/private/"), strings.HasSuffix(lower, "/"), strings.Contains(lower, "//"),
		len(lower) > maxAnnotationName, strings.ContainsFunc(lower, bad):
		return "", fmt.Errorf("%w: %q", ErrBadAnnotation, name)
	}
	return lower, nil
}

// annotated finds whose annotations are meant: of a mailbox, or with the name "" of the server as the account sees it.
func (t *tree) annotated(name string) (id int64, err error) {
	if name == "" {
		return 0, nil
	}
	clean, err := cleanName(name)
	if err != nil {
		return 0, errors.Join(ErrNoMailbox, err)
	}
	if b := t.byName[clean]; b != nil {
		return b.id, nil
	}
	return 0, fmt.Errorf("%w: %q", ErrNoMailbox, name)
}

// Annotation gives the value of one annotation of a mailbox, or of the server with the name ""; ok is false where there is none.
// It fails with [ErrNoMailbox], and with [ErrDamaged] rather than give what nobody set.
func (a *Account) Annotation(ctx context.Context, mailbox, entry string) (value []byte, ok bool, err error) {
	st, err := a.state(ctx)
	if err != nil {
		return nil, false, err
	}
	id, err := st.tree.Load().annotated(mailbox)
	if err != nil {
		return nil, false, err
	}
	entry = strings.ToLower(entry)
	var crc int64
	err = a.s.db.QueryRow(ctx, `SELECT crc, value FROM annotations WHERE account = ? AND mailbox = ? AND entry = ?`, int64(a.id), id, entry).Scan(&crc, &value)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case annotationCRC(int64(a.id), id, entry, value) != crc:
		return nil, false, fmt.Errorf("annotation %s: %w", entry, ErrDamaged)
	}
	return value, true, nil
}

// Annotations lists those of a mailbox, or of the server with the name "", by their names.
func (a *Account) Annotations(ctx context.Context, mailbox string) (list []Annotation, err error) {
	st, err := a.state(ctx)
	if err != nil {
		return nil, err
	}
	id, err := st.tree.Load().annotated(mailbox)
	if err != nil {
		return nil, err
	}
	rows, err := a.s.db.Query(ctx, `SELECT entry, crc, value FROM annotations WHERE account = ? AND mailbox = ? ORDER BY entry`, int64(a.id), id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one Annotation
		var crc int64
		if err := rows.Scan(&one.Entry, &crc, &one.Value); err != nil {
			return nil, err
		}
		if annotationCRC(int64(a.id), id, one.Entry, one.Value) != crc {
			return nil, fmt.Errorf("annotation %s: %w", one.Entry, ErrDamaged)
		}
		if one.Value == nil { // an empty one
			one.Value = []byte{}
		}
		list = append(list, one)
	}
	return list, closeRows(rows)
}

// Annotate sets annotations of a mailbox, or of the server with the name "", all or none; a nil value takes one away (RFC 5464
// 4.3). The server's are the account's own: nobody else sees them.
func (a *Account) Annotate(ctx context.Context, mailbox string, changes []Annotation) error {
	if len(changes) > maxAnnotationsAtOnce {
		return fmt.Errorf("annotations: %w", ErrTooMany)
	}
	changes = append([]Annotation(nil), changes...)
	for i := range changes {
		c := &changes[i]
		var err error
		if c.Entry, err = cleanEntry(c.Entry); err != nil {
			return err
		}
		if len(c.Value) > MaxAnnotation {
			return fmt.Errorf("annotation %s: %w", c.Entry, ErrAnnotationSize)
		}
	}
	return a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		id, err := sa.tree.annotated(mailbox)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := sa.annotate(tx, id, c); err != nil {
				return err
			}
		}
		return annotationRoom(tx, int64(a.id))
	})
}

func (sa *stagedAccount) annotate(tx *db.Tx, mailbox int64, c Annotation) error {
	account := int64(sa.st.id)
	if c.Entry == ScriptEntry {
		sa.setScript(mailbox, c.Value)
	}
	if c.Value == nil {
		_, err := tx.Exec(`DELETE FROM annotations WHERE account = ? AND mailbox = ? AND entry = ?`, account, mailbox, c.Entry)
		return err
	}
	_, err := tx.Exec(`INSERT INTO annotations (account, mailbox, entry, size, crc, value) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, mailbox, entry) DO UPDATE SET size = excluded.size, crc = excluded.crc, value = excluded.value`,
		account, mailbox, c.Entry, int64(len(c.Value)), annotationCRC(account, mailbox, c.Entry, c.Value), c.Value)
	return err
}

// annotationRoom fails if the account has more than it may have.
func annotationRoom(tx *db.Tx, account int64) error {
	var n, bytes int64
	if err := tx.QueryRow(`SELECT COUNT(*), COALESCE(SUM(size), 0) FROM annotations WHERE account = ?`, account).Scan(&n, &bytes); err != nil {
		return err
	}
	if n > maxAnnotations || bytes > maxAnnotationBytes {
		return fmt.Errorf("account %d: %w", account, ErrAnnotationRoom)
	}
	return nil
}

// annotationCRC is the checksum of a row of annotations.
func annotationCRC(account, mailbox int64, entry string, value []byte) int64 {
	crc := crc32.Update(crcOf(account, mailbox, int64(len(value))), castagnoli, []byte(entry))
	return int64(crc32.Update(crc, castagnoli, value))
}

// dropAnnotations takes away all that a mailbox has.
func (sa *stagedAccount) dropAnnotations(tx *db.Tx, mailbox int64) error {
	sa.setScript(mailbox, nil)
	_, err := tx.Exec(`DELETE FROM annotations WHERE account = ? AND mailbox = ?`, int64(sa.st.id), mailbox)
	return err
}

// scriptNames are the names of the scripts that run for what is done in an account's mailboxes, by mailbox, 0 for all that say
// nothing themselves: an immutable value, so that a change in a mailbox knows of them without a look into the database.
type scriptNames map[int64]string

// of is the script of a mailbox: the one it names, else the one of the server (RFC 6785 2.3.1). "" is none.
func (n scriptNames) of(mailbox int64) string {
	if name, ok := n[mailbox]; ok {
		return name
	}
	return n[0]
}

// setScript has memory follow an annotation.
func (sa *stagedAccount) setScript(mailbox int64, value []byte) {
	old := sa.scripts
	if _, ok := old[mailbox]; !ok && value == nil {
		return
	}
	sa.g.tx.OnRollback(func() { sa.scripts = old })
	next := make(scriptNames, len(old)+1)
	maps.Copy(next, old)
	if value == nil {
		delete(next, mailbox)
	} else {
		next[mailbox] = string(value)
	}
	sa.scripts = next
}

// loadScriptNames reads them for an account.
func loadScriptNames(tx *db.Tx, id AccountID) (scriptNames, error) {
	rows, err := tx.Query(`SELECT mailbox, value FROM annotations WHERE account = ? AND entry = ?`, int64(id), ScriptEntry)
	if err != nil {
		return nil, err
	}
	var names scriptNames
	for rows.Next() {
		var mailbox int64
		var value []byte
		if err := rows.Scan(&mailbox, &value); err != nil {
			rows.Close()
			return nil, err
		}
		if names == nil {
			names = scriptNames{}
		}
		names[mailbox] = string(value)
	}
	return names, closeRows(rows)
}

// ScriptOf names the script that runs for what is done in a mailbox, by the mailbox's number; "" is none. It reads memory only.
func (a *Account) ScriptOf(ctx context.Context, mailbox int64) (string, error) {
	st, err := a.state(ctx)
	if err != nil {
		return "", err
	}
	return (*st.scripts.Load()).of(mailbox), nil
}
