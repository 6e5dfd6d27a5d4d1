package store

import "postern/internal/db"

// ForgetOnceTx drops the key of a delivery whose answer is known to have arrived: the same message sent again is meant so.
func (s *Store) ForgetOnceTx(tx *db.Tx, account AccountID, key []byte) error {
	_, err := tx.Exec(`DELETE FROM once_keys WHERE account = ? AND key = ?`, int64(account), key)
	return err
}
