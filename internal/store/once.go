package store

import "postern/internal/db"

// nobody is the account of keys that belong to no account of ours.
const nobody AccountID = 0

// claim takes the key of a delivery, or finds that it was taken and says by which message.
func (s *Store) claim(tx *db.Tx, t *Target, d *Delivered) error {
	first, err := s.take(tx, t.Account, t.Once, d)
	if err != nil || first {
		return err
	}
	d.Duplicate = true
	return tx.QueryRow(`SELECT mailbox, uidvalidity, uid FROM once_keys WHERE account = ? AND key = ?`, int64(t.Account), t.Once).
		Scan(&d.MailboxID, &d.UIDValidity, &d.UID)
}

// take reports whether the key was free, or free again after a day, and takes it.
func (s *Store) take(tx *db.Tx, account AccountID, key []byte, d *Delivered) (bool, error) {
	now := s.now()
	n, err := tx.Exec(`INSERT INTO once_keys (id, account, key, at, mailbox, uidvalidity, uid) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, key) DO NOTHING`, s.newID(), int64(account), key, now.Unix(), d.MailboxID, int64(d.UIDValidity), int64(d.UID))
	if err != nil || n == 1 {
		return err == nil, err
	}
	n, err = tx.Exec(`UPDATE once_keys SET at = ?, mailbox = ?, uidvalidity = ?, uid = ? WHERE account = ? AND key = ? AND at < ?`,
		now.Unix(), d.MailboxID, int64(d.UIDValidity), int64(d.UID), int64(account), key, now.Add(-onceFor).Unix())
	return err == nil && n == 1, err
}

// ClaimOnceTx takes a key for what goes elsewhere, and reports whether this is the first time within a day.
func (s *Store) ClaimOnceTx(tx *db.Tx, key []byte) (first bool, err error) {
	s.stage(tx) // writes down how far the numbers were given out
	return s.take(tx, nobody, key, &Delivered{})
}

// ForgetOnceTx drops the key of a delivery whose answer is known to have arrived: the same message sent again is meant so.
func (s *Store) ForgetOnceTx(tx *db.Tx, account AccountID, key []byte) error {
	_, err := tx.Exec(`DELETE FROM once_keys WHERE account = ? AND key = ?`, int64(account), key)
	return err
}

// ForgetClaimTx drops a key of [Store.ClaimOnceTx].
func (s *Store) ForgetClaimTx(tx *db.Tx, key []byte) error { return s.ForgetOnceTx(tx, nobody, key) }
