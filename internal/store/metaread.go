package store

import (
	"context"
	"fmt"
	"strings"

	"postern/internal/message"
)

// inSizes are the lengths of the IN lists that statements are prepared for. Read-only.
var inSizes = [...]int{1, 16, 256}

// inList gives "?,?,…" for at least n parameters and how many it has.
func inList(n int) (marks string, size int) {
	for _, size = range inSizes {
		if n <= size {
			break
		}
	}
	return strings.Repeat("?,", size-1) + "?", size
}

// readMetas fills the metas that are nil from the database and keeps them in the cache.
func (s *Store) readMetas(ctx context.Context, account AccountID, messages []Message, blobs []int64, metas []message.Meta) error {
	wanted := make(map[int64][]int, len(blobs))
	var ids []any
	for i, blob := range blobs {
		if metas[i] == nil {
			if wanted[blob] == nil {
				ids = append(ids, blob)
			}
			wanted[blob] = append(wanted[blob], i)
		}
	}
	marks, size := inList(len(ids))
	for len(ids) < size {
		ids = append(ids, ids[0])
	}
	rows, err := s.db.Query(ctx, `SELECT id, hash, size, file, meta, meta_crc FROM blobs WHERE id IN (`+marks+`)`, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, size, file, crc int64
		var hash []byte
		var meta message.Meta
		if err := rows.Scan(&id, &hash, &size, &file, (*[]byte)(&meta), &crc); err != nil {
			return err
		}
		if meta == nil {
			meta = message.Meta{}
		}
		if metaCRC(hash, size, file, meta) != crc {
			continue
		}
		for _, i := range wanted[id] {
			metas[i] = meta
		}
		s.metas.put(id, meta)
	}
	if err := closeRows(rows); err != nil {
		return err
	}
	for i := range metas {
		if metas[i] == nil {
			s.remakeMeta(ctx, account, messages[i], blobs[i], metas, i)
		}
	}
	return nil
}

// remakeMeta replaces a damaged meta by parsing the message again.
func (s *Store) remakeMeta(ctx context.Context, account AccountID, m Message, blob int64, metas []message.Meta, i int) {
	err := func() error {
		c, err := s.openOriginal(ctx, account, m.ID)
		if err != nil {
			return err
		}
		defer c.Close()
		parsed, err := message.Parse(&section{c, c.PrefixLen()}, c.size, message.DefaultLimits)
		if err != nil {
			return err
		}
		metas[i] = parsed.Meta()
		return nil
	}()
	if err != nil {
		s.log.Error("message has lost its structure", "account", account, "uid", m.UID, "blob", blob, "error", fmt.Sprint(err))
	}
}

// section is a message from an offset on.
type section struct {
	c     *content
	start int64
}

func (s *section) ReadAt(p []byte, off int64) (int, error) { return s.c.ReadAt(p, s.start+off) }
