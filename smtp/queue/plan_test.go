package queue

import (
	"context"
	"strings"
	"testing"

	"postern/internal/testdb"
)

// The statements of the scheduler's rounds find their rows by an index, however long the queue is.
func TestTheSchedulerNeverScansTheQueue(t *testing.T) {
	d := testdb.Open(t, testdb.SQLite(t))
	for _, query := range []string{selectDue, selectNext, selectMore, selectRecipients, selectMessage, deleteIfDone, selectHighest} {
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = int64(1)
		}
		rows, err := d.Query(context.Background(), "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%v: %s", err, query)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "CONSTANT ROW") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n%s", detail, query)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
