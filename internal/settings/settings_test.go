package settings

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/testdb"
)

func open(t *testing.T, url string) (*Settings, *db.DB) {
	t.Helper()
	d := testdb.Open(t, url)
	s, err := Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

func TestTheCatalogueIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for i := range catalogue {
		d := &catalogue[i]
		if d.Name == "" || d.Doc == "" || d.Unit == "" || d.Kind == 0 {
			t.Errorf("entry %d (%q) lacks name, doc, unit or kind", i, d.Name)
			continue
		}
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		v, err := d.parse(d.Default)
		if err != nil {
			t.Errorf("%s: its default: %v", d.Name, err)
		}
		if d.format(v) != d.Default {
			t.Errorf("%s: the default %q is shown as %q", d.Name, d.Default, d.format(v))
		}
		if !strings.HasSuffix(d.Doc, ".") {
			t.Errorf("%s: the doc is no sentence: %q", d.Name, d.Doc)
		}
		if strings.Contains(d.Doc, "\n") || d.bounds() == "" {
			t.Errorf("%s: cannot be shown on a line", d.Name)
		}
	}
}

// The keys' types must be those of the catalogue, else a Get would read the wrong field.
func TestKeysHaveTheTypesOfTheCatalogue(t *testing.T) {
	s := Defaults()
	if n := SMTPMaxMessageSize.Get(s); n != 50<<20 {
		t.Errorf("%s is %d", SMTPMaxMessageSize, n)
	}
	if d := QueueMaxAge.Get(s); d != 5*24*time.Hour {
		t.Errorf("%s is %v", QueueMaxAge, d)
	}
	if !DNSBLEnabled.Get(s) {
		t.Errorf("%s is off", DNSBLEnabled)
	}
	if z := DNSBLZones.Get(s); len(z) != 1 || z[0] != "zen.spamhaus.org" {
		t.Errorf("%s is %v", DNSBLZones, z)
	}
	if k := DNSBLDQSKey.Get(s); k != "" {
		t.Errorf("%s is %q", DNSBLDQSKey, k)
	}
	if p := SpamJunkScore.Get(s); p != 500 {
		t.Errorf("%s is %d", SpamJunkScore, p)
	}
	text, err := os.ReadFile("catalogue.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]Kind{"Int": {KindCount, KindSize}, "Duration": {KindDuration}, "Bool": {KindBool}, "String": {KindString},
		"List": {KindList}, "Score": {KindScore}}
	declared := regexp.MustCompile(`(?m)^\t([A-Z]\w+) +([A-Z]\w+)Key += iota$`).FindAllStringSubmatch(string(text), -1)
	if len(declared) != settingCount {
		t.Fatalf("%d keys are declared, %d are there", len(declared), settingCount)
	}
	for i, d := range declared {
		if !slices.Contains(kinds[d[2]], catalogue[i].Kind) {
			t.Errorf("%s is a %sKey, and %s is a %s", d[1], d[2], catalogue[i].Name, catalogue[i].Kind)
		}
	}
}

func TestASettingOutlivesTheProcess(t *testing.T) {
	url := testdb.SQLite(t)
	s, d := open(t, url)
	ctx := context.Background()
	for name, text := range map[string]string{
		"smtp.max_message_size": "100 MB",
		"queue.max_age":         "3d12h",
		"dnsbl.enabled":         "FALSE",
		"dnsbl.zones":           "zen.spamhaus.org, bl.example.org=127.0.0.2|127.0.0.4-127.0.0.9*0.5",
		"dnsbl.dqs_key":         "abc123secret",
	} {
		if err := s.Set(ctx, name, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = open(t, url)
	if n := SMTPMaxMessageSize.Get(s); n != 100<<20 {
		t.Errorf("size %d", n)
	}
	if a := QueueMaxAge.Get(s); a != 84*time.Hour {
		t.Errorf("age %v", a)
	}
	if DNSBLEnabled.Get(s) {
		t.Error("the switch is on")
	}
	if z := DNSBLZones.Get(s); len(z) != 2 || z[1] != "bl.example.org=127.0.0.2|127.0.0.4-127.0.0.9*0.5" {
		t.Errorf("zones %q", z)
	}
	if k := DNSBLDQSKey.Get(s); k != "abc123secret" {
		t.Errorf("key %q", k)
	}
	if err := s.Reset(ctx, "queue.max_age"); err != nil {
		t.Fatal(err)
	}
	if a := QueueMaxAge.Get(s); a != 120*time.Hour {
		t.Errorf("age after reset %v", a)
	}
}

func TestAValueThatDoesNotFitIsRefusedWithRangeAndDefault(t *testing.T) {
	s := Defaults()
	for name, text := range map[string]string{
		"smtp.max_message_size":      "2TiB",
		"smtp.max_recipients":        "99",
		"smtp.idle_timeout":          "1",
		"queue.max_age":              "-1d",
		"dnsbl.enabled":              "perhaps",
		"password.pbkdf2_iterations": "1000",
		"password.scram_iterations":  "4095",
		"auth.cache_ttl":             "2h",
		"imap.max_literal_size":      "9223372036854775807KiB",
		"spam.junk_score":            "1000.01",
		"spam.tag_score":             "3.001",
	} {
		before, _ := s.Get(name)
		err := s.Set(t.Context(), name, text)
		if err == nil {
			t.Errorf("%s took %q", name, text)
			continue
		}
		for _, part := range []string{name, before.Range, before.Default} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error %q does not name %q", name, err, part)
			}
		}
		if after, _ := s.Get(name); after != before {
			t.Errorf("%s: refused, and yet %v", name, after)
		}
	}
	for name, text := range map[string]string{
		"dnsbl.zones":   "bl.example.org=192.0.2.1",
		"dnsbl.allow":   "192.0.2.0/33",
		"dnsbl.dqs_key": "a.b",

		"spam.virus_action":   "drop",
		"dmarc.override":      "example.org=ignore",
		"arc.trusted_sealers": "*",
	} {
		if err := s.Set(t.Context(), name, text); err == nil {
			t.Errorf("%s took %q", name, text)
		}
	}
	if err := s.Set(t.Context(), "smtp.colour", "blue"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown setting: %v", err)
	}
}

func TestAScannerIsRefusedWhereASlipIsSeen(t *testing.T) {
	s, _ := open(t, testdb.SQLite(t))
	for name, texts := range map[string][]string{
		"spam.scanner": {"spamd", "spamd:", "spamd:localhost", "spamd:127.0.0.1", "spamd:127.0.0.1:0", "spamd:127.0.0.1:x", "spamd:run/spamd.sock",
			"rspamd:127.0.0.1:11333", "rspamd:ftp://127.0.0.1", "rspamd:http://", "rspamd:http://127.0.0.1/x", "rspamd:http://a:b@127.0.0.1", "clamd:/run/clamav/clamd.ctl"},
		"virus.scanner": {"clamd", "clamd:localhost", "clamd:", "spamd:127.0.0.1:783"},
	} {
		for _, text := range texts {
			if err := s.Set(t.Context(), name, text); err == nil || !strings.Contains(err.Error(), "; write one such as ") {
				t.Errorf("%s took %q, %v", name, text, err)
			}
		}
	}
	for _, text := range []string{"spamd:localhost:783", "spamd:[::1]:783", "spamd:/run/spamd.sock", "rspamd:http://127.0.0.1:11333", "rspamd:https://scan.example.org/", ""} {
		if err := s.Set(t.Context(), "spam.scanner", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := s.Set(t.Context(), "virus.scanner", "clamd:127.0.0.1:3310"); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := Defaults()
	if err := s.Set(t.Context(), "dnsbl.dqs_key", "abc123secret"); err != nil {
		t.Fatal(err)
	}
	for _, setting := range s.List() {
		if strings.Contains(setting.Value, "secret") {
			t.Errorf("%s shows %q", setting.Name, setting.Value)
		}
	}
	one, err := s.Get("dnsbl.dqs_key")
	if err != nil || one.Value != "********" || !one.Changed {
		t.Errorf("%+v, %v", one, err)
	}
	if err := s.Set(t.Context(), "dnsbl.dqs_key", "not.a.label.secret"); err == nil || strings.Contains(err.Error(), "not.a.label") {
		t.Errorf("the refusal: %v", err)
	}
}

func TestWatchersLearnOfChanges(t *testing.T) {
	s, _ := open(t, testdb.SQLite(t))
	var seen []string
	cancel := s.OnChange(func(name string) { seen = append(seen, name+"="+QueuePerDomain.String()) })
	if err := s.Set(t.Context(), "queue.per_domain", "7"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Set(t.Context(), "queue.per_domain", "8"); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || QueuePerDomain.Get(s) != 8 {
		t.Errorf("told %v, value %d", seen, QueuePerDomain.Get(s))
	}
}

func TestAStoredValueOfAnotherVersionDoesNotStopTheServer(t *testing.T) {
	url := testdb.SQLite(t)
	_, d := open(t, url)
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO settings (name, value) VALUES ('smtp.max_recipients', '5'), ('gone.setting', 'x')`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if n := SMTPMaxRecipients.Get(s); n != 100 {
		t.Errorf("recipients %d", n)
	}
	if bad := s.Invalid(); len(bad) != 1 || bad[0] != "smtp.max_recipients" {
		t.Errorf("invalid: %v", bad)
	}
}

func TestUnitsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "512": 512, "1k": 1024, "64KiB": 65536, "50 mb": 50 << 20, "2GiB": 2 << 30, "1T": 1 << 40, "7B": 7} {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for text, want := range map[string]time.Duration{"0s": 0, "90s": 90 * time.Second, "5d": 5 * day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "100ms": 100 * time.Millisecond} {
		d, err := parseDuration(text)
		if err != nil || d != want {
			t.Errorf("%q: %v, %v", text, d, err)
		}
		if again, err := parseDuration(formatDuration(d)); err != nil || again != want {
			t.Errorf("%q is written %q", text, formatDuration(d))
		}
	}
	for text, want := range map[string]int64{"5": 500, "5.5": 550, "05.00": 500, "0.29": 29, "-0.05": -5, "999999999999.99": 99999999999999} {
		n, err := parseScore(text)
		if err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		if again, err := parseScore(formatScore(n)); err != nil || again != want {
			t.Errorf("%q is written %q", text, formatScore(n))
		}
	}
	for _, text := range []string{"", ".", "5.", ".5", "5.001", "1e3", "+5", "--5", "5.-1", "9999999999999", "5,00", "NaN"} {
		if n, err := parseScore(text); err == nil {
			t.Errorf("score %q: %d", text, n)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5MiB", "MiB", "99999999999999T"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("size %q: %d", text, n)
		}
	}
	for _, text := range []string{"", "5", "d", "-5m", "1.5d", "99999999999d", "106751d24h", "5dx"} {
		if d, err := parseDuration(text); err == nil {
			t.Errorf("duration %q: %v", text, d)
		}
	}
}

func FuzzSet(f *testing.F) {
	for i := range catalogue {
		f.Add(i, catalogue[i].Default)
	}
	f.Add(0, "9223372036854775807T")
	f.Add(5, "106751d23h47m16.854775807s")
	f.Fuzz(func(t *testing.T, i int, text string) {
		d := &catalogue[uint(i)%settingCount]
		v, err := d.parse(text)
		if err != nil {
			return
		}
		again, err := d.parse(d.format(v))
		if err != nil || d.format(again) != d.format(v) {
			t.Fatalf("%s: %q is kept as %q, which reads as %v, %v", d.Name, text, d.format(v), again, err)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s := Defaults()
	for b.Loop() {
		if SMTPMaxMessageSize.Get(s) == 0 {
			b.Fatal()
		}
	}
}
