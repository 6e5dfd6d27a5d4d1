package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// storeJudgements is the script command `judgements FILE`: it stores the judgements in a file, a JSON array, in the data of the
// server, which does not run at the time. Each is decided first, unless it says what was decided.
func storeJudgements(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: judgements FILE")
	}
	var traces []*verdict.Trace
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &traces))
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{URL: "sqlite:" + filepath.Join(ts.Getenv("DATA"), "postern.db")})
	ts.Check(err)
	s, err := settings.Open(ctx, d)
	ts.Check(err)
	a, err := archive.Open(ctx, archive.Options{DB: d, Settings: s})
	ts.Check(err)
	for _, t := range traces {
		if len(t.Recipients) > 0 && t.Recipients[0].Verdict.Action == "" {
			t.Decide()
		}
		encoded, err := a.Encode(t)
		ts.Check(err)
		ts.Check(d.Write(ctx, func(tx *db.Tx) error { return a.StoreTx(tx, t, encoded) }))
	}
	ts.Check(errors.Join(a.Close(), d.Close()))
}

// runSQL is the script command `sql STATEMENT`: it changes the database of the server, which does not run at the time.
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sql STATEMENT")
	}
	d, err := db.Open(context.Background(), db.Options{URL: "sqlite:" + filepath.Join(ts.Getenv("DATA"), "postern.db")})
	ts.Check(err)
	ts.Check(d.Write(context.Background(), func(tx *db.Tx) error { _, err := tx.Exec(args[0]); return err }))
	ts.Check(d.Close())
}
