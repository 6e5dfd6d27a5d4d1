package directory

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"postern/internal/db"
	"postern/internal/sasl"
)

// scramLogin lets an independent client log in to the directory by SCRAM.
func (h *house) scramLogin(login, password string) error {
	h.t.Helper()
	client, err := scram.SHA256.NewClient(login, password, "")
	h.must(err)
	credentials, err := h.Scram(ctx, login)
	h.must(err)
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(credentials.Salt), Iters: credentials.Iterations},
			StoredKey:  credentials.StoredKey, ServerKey: credentials.ServerKey,
		}, nil
	})
	h.must(err)
	there, here := client.WithMinIterations(1).NewConversation(), server.NewConversation()
	message, err := there.Step("")
	for err == nil && !there.Done() {
		if message, err = here.Step(message); err == nil {
			message, err = there.Step(message)
		}
	}
	if err == nil && !there.Valid() {
		return errors.New("not valid")
	}
	return err
}

func TestThePasswordLogsInByScram(t *testing.T) {
	h := newHouse(t)
	if err := h.scramLogin("alice@example.test", password); err != nil {
		t.Error(err)
	}
	c, err := h.Scram(ctx, "Alice@example.test")
	if err != nil || c.Identity.Login != "alice@example.test" || c.Identity.Account == 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if err := h.scramLogin("alice@example.test", "Wrong-Garden-7"); err == nil {
		t.Error("a wrong password was proven")
	}
	if err := h.scramLogin("nobody@example.test", password); err == nil {
		t.Error("nobody proved a password")
	}
	h.must(h.ChangeUser(ctx, addr("alice@example.test"), UserChange{Disabled: new(true)}))
	if err := h.scramLogin("alice@example.test", password); err == nil {
		t.Error("a disabled account logged in")
	}
}

func TestProbingByScramTellsNothing(t *testing.T) {
	h := newHouse(t)
	real, _ := h.Scram(ctx, "alice@example.test")
	for _, login := range []string{"nobody@example.test", "nobody", "", "\xff", "alice@elsewhere.test"} {
		a, err := h.Scram(ctx, login)
		if err != nil || a.Identity != (sasl.Identity{}) {
			t.Errorf("%q: %+v, %v", login, a, err)
		}
		b, _ := h.Scram(ctx, login)
		if string(a.Salt) != string(b.Salt) || string(a.StoredKey) != string(b.StoredKey) {
			t.Errorf("%q: another salt each time", login)
		}
		if len(a.Salt) != len(real.Salt) || a.Iterations != real.Iterations || len(a.StoredKey) != 32 || len(a.ServerKey) != 32 {
			t.Errorf("%q does not look like an account: %+v", login, a)
		}
	}
	if a, _ := h.Scram(ctx, "x@example.test"); true {
		if b, _ := h.Scram(ctx, "y@example.test"); string(a.Salt) == string(b.Salt) {
			t.Error("two unknown users share a salt")
		}
	}
	h.must(h.ChangeUser(ctx, addr("alice@example.test"), UserChange{Disabled: new(true)}))
	if disabled, _ := h.Scram(ctx, "alice@example.test"); string(disabled.Salt) != string(real.Salt) || string(disabled.StoredKey) == string(real.StoredKey) {
		t.Error("a disabled account has another salt, or the same keys")
	}
}

func TestTheKeysForScramAreThoseOfRFC7677(t *testing.T) {
	// The salt and rounds of the example in its section 3, whose ServerSignature the sasl package checks.
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	k := deriveScramKeys("pencil", string(salt), 4096)
	if got := base64.StdEncoding.EncodeToString([]byte(k.storedKey)); got != "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" {
		t.Errorf("StoredKey %s", got)
	}
	if again, ok := decodeScramKeys(k.encode()); !ok || again != k {
		t.Errorf("%v became %v", k, again)
	}
	for _, bad := range [][]byte{nil, k.encode()[1:], append(k.encode(), 0), make([]byte, scramKeysSize), bytes.Repeat([]byte{255}, scramKeysSize)} {
		if _, ok := decodeScramKeys(bad); ok {
			t.Errorf("%x was taken", bad)
		}
	}
}

func TestSealedKeysOpenWithTheirKeyAccountAndBytesOnly(t *testing.T) {
	seal, err := newSealer(testKey)
	if err != nil {
		t.Fatal(err)
	}
	k := makeScramKeys(password, 500)
	sealed := seal.sealScram(7, k)
	if got, ok := seal.openScram(7, sealed); !ok || got != k {
		t.Fatalf("opened as %v", got)
	}
	if bytes.Equal(sealed, seal.sealScram(7, k)) {
		t.Error("sealing twice gives the same bytes: the nonce is not random")
	}
	if _, ok := seal.openScram(8, sealed); ok {
		t.Error("opened for another account")
	}
	other, err := newSealer(bytes.Repeat([]byte("o"), KeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.openScram(7, sealed); ok {
		t.Error("opened with another key")
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, ok := seal.openScram(7, changed); ok {
			t.Fatalf("opened with byte %d changed", i)
		}
		if _, ok := seal.openScram(7, sealed[:i]); ok {
			t.Fatalf("opened with %d bytes", i)
		}
	}
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := newSealer(make([]byte, size)); err == nil {
			t.Errorf("a key of %d bytes was taken", size)
		}
	}
}

// stored is all that the database holds: every value of every table of the directory, and for SQLite the very bytes of
// its files.
func (h *house) stored(url string) []byte {
	h.t.Helper()
	var all bytes.Buffer
	for _, table := range []string{"settings", "directory_domains", "directory_addresses", "directory_accounts", "directory_alias_targets",
		"directory_group_members", "directory_grants", "directory_state"} {
		h.must(h.base.View(ctx, func(tx *db.ReadTx) error {
			rows, err := tx.Query("SELECT * FROM " + table)
			if err != nil {
				return err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			values, to := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			for rows.Next() {
				if err := rows.Scan(to...); err != nil {
					return err
				}
				for _, v := range values {
					if b, ok := v.([]byte); ok {
						all.Write(b)
					} else {
						fmt.Fprint(&all, v)
					}
					all.WriteByte(0)
				}
			}
			return rows.Err()
		}))
	}
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			h.must(err)
			all.Write(b)
		}
	}
	return all.Bytes()
}

func TestTheDatabaseAloneDoesNotGiveWhatScramNeeds(t *testing.T) {
	url := databaseURL(t)
	h := openHouse(t, url)
	h.must(err1(h.AddDomain(ctx, "example.test")))
	const alice = "alice@example.test"
	h.add(alice, true)
	seen := []credentials{h.now.Load().person(alice).credentials}
	h.must(h.SetPassword(ctx, addr(alice), "Another-Garden-8"))
	seen = append(seen, h.now.Load().person(alice).credentials)
	h.rounds = func() rounds { return rounds{1500, 700} }
	h.login(alice, "Another-Garden-8")
	seen = append(seen, h.now.Load().person(alice).credentials)

	content := h.stored(url)
	if !bytes.Contains(content, []byte(seen[2].verifier.String())) {
		t.Fatal("this does not look where passwords are kept")
	}
	for _, c := range seen {
		// Nor does the verifier give them: it has other rounds, and its hash is not the one they come from.
		stored, server := sasl.ScramKeys([]byte(c.verifier.hash))
		if c.verifier.salt == c.scram.salt || c.verifier.iterations == c.scram.iterations || c.scram.storedKey == string(stored) || c.scram.serverKey == string(server) {
			t.Errorf("the verifier %s gives the keys %+v", c.verifier, c.scram)
		}
		for name, value := range map[string]string{"salt": c.scram.salt, "StoredKey": c.scram.storedKey, "ServerKey": c.scram.serverKey, "key": string(testKey)} {
			for _, form := range []string{value, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
				base64.RawStdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value))} {
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("the database holds the %s as %q", name, form)
				}
			}
		}
	}
}

func TestTheKeysForScramFollowTheSettingAtTheNextLogin(t *testing.T) {
	h := newHouse(t)
	const alice = "alice@example.test"
	h.login(alice, password)
	before := h.now.Load().person(alice).credentials
	for _, n := range []int{900, 400} { // up and down
		h.rounds = func() rounds { return rounds{1000, n} }
		h.must(h.scramLogin(alice, password))
		if h.login(alice, "Wrong-Garden-7") != "refused" || h.now.Load().person(alice).scram.iterations == n {
			t.Fatal("a wrong password changed the rounds")
		}
		if got := h.login(alice, password); got != alice { // although it is remembered
			t.Fatal(got)
		}
		after := h.now.Load().person(alice).credentials
		if after.scram.iterations != n || after.scram.salt == before.scram.salt || after.verifier != before.verifier {
			t.Errorf("after the login %d rounds, the same salt %v, the same verifier %v", after.scram.iterations,
				after.scram.salt == before.scram.salt, after.verifier == before.verifier)
		}
		h.checkMemory()
		h.must(h.scramLogin(alice, password))
		if n := h.hashesOf(func() { h.login(alice, password) }); n != 0 {
			t.Errorf("the login after it costs %d hashes", n)
		}
		if nobody, _ := h.Scram(ctx, "nobody@example.test"); nobody.Iterations != n {
			t.Errorf("nobody has %d rounds", nobody.Iterations)
		}
		before = after
	}
	if u, _ := h.User(addr(alice)); !u.PasswordChanged.Equal(u.Created) {
		t.Error("making the keys anew counts as a change of password")
	}
}

func TestWithoutTheirKeyAccountsLogInByPasswordAndThenByScramAgain(t *testing.T) {
	url := databaseURL(t)
	h := openHouse(t, url)
	h.must(err1(h.AddDomain(ctx, "example.test")))
	const alice, bob = "alice@example.test", "bob@example.test"
	h.add(alice, true)
	h.add(bob, false)
	kept := h.now.Load().person(alice).scram
	h.Close()
	h.base.Close()
	h.closed = true

	var said bytes.Buffer
	newKey := bytes.Repeat([]byte("n"), KeySize)
	h = openHouseWith(t, url, newKey, slog.New(slog.NewTextHandler(&said, nil)))
	for range 2 {
		if err := h.scramLogin(alice, password); err == nil {
			t.Fatal("logged in by keys that cannot be read")
		}
		h.reload()
	}
	c, err := h.Scram(ctx, alice)
	if nobody, _ := h.Scram(ctx, "nobody@example.test"); err != nil || c.Identity != (sasl.Identity{}) || string(c.Salt) == kept.salt || c.Iterations != nobody.Iterations {
		t.Errorf("an account without keys looks like %+v, %v", c, err)
	}
	if strings.Count(said.String(), "secret key") != 1 || !strings.Contains(said.String(), "accounts=2") {
		t.Errorf("it was said: %s", said.String())
	}
	if got := h.login(alice, password); got != alice {
		t.Fatal(got)
	}
	h.must(h.scramLogin(alice, password))
	if err := h.scramLogin(bob, password); err == nil {
		t.Error("bob logged in by keys that cannot be read")
	}
	h.checkMemory()
	h.Close()
	h.base.Close()
	h.closed = true

	h = openHouseWith(t, url, newKey, slog.New(slog.DiscardHandler))
	h.must(h.scramLogin(alice, password))
	h.must(h.SetPassword(ctx, addr(bob), "Another-Garden-8"))
	h.must(h.scramLogin(bob, "Another-Garden-8"))
}

func TestTheDirectoryDoesNotOpenWithoutAKey(t *testing.T) {
	h := newHouse(t)
	if _, err := Open(ctx, Options{DB: h.base, Settings: h.s}); err == nil {
		t.Error("opened")
	}
}
