package archive

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"

	"postern/internal/verdict"
)

// fill gives every field below v a value of its own, so that one which is not written, or read as another, is seen.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(epoch.Add(time.Duration(*n) * time.Nanosecond)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(strings.Repeat("x", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	default:
		panic(v.Kind())
	}
}

func full() *verdict.Trace {
	t, n := new(verdict.Trace), 0
	fill(reflect.ValueOf(t).Elem(), &n)
	return t
}

// extremes are traces at the ends of what there may be.
func extremes() map[string]*verdict.Trace {
	west := typical(3)
	west.At = west.At.In(time.FixedZone("", -5*3600-1800))
	odd := typical(4)
	odd.From, odd.Helo, odd.Reply = "\x00\xff\"<>\u2028", strings.Repeat("é", 1000), known[3]
	odd.Size, odd.Micros, odd.Checks[0].Points = math.MaxInt64, math.MinInt64, -1
	none := &verdict.Trace{At: epoch, Checks: []verdict.Check{}, Recipients: []verdict.Recipient{}}
	run := typical(5)
	run.Recipients[0].Scripts = []string{"", "main, line 4: keep"}
	run.Recipients[0].Run = &verdict.Run{Scripts: []verdict.RunScript{}}
	return map[string]*verdict.Trace{"full": full(), "typical": typical(1), "west": west, "odd": odd, "none": none, "zero": {}, "run": run}
}

func TestWhatIsPackedComesBack(t *testing.T) {
	c := newCodec()
	for name, trace := range extremes() {
		stored, err := c.pack(trace)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := c.unpack(stored)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(trace, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if x, y := must(trace.AppendJSON(nil)), must(again.AppendJSON(nil)); string(x) != string(y) {
			t.Errorf("%s:\n%s\n%s", name, x, y)
		}
	}
	stored, text := must(c.pack(typical(1))), must(typical(1).AppendJSON(nil))
	t.Logf("%d bytes of JSON are kept in %d", len(text), len(stored))
	if len(stored)*5 > len(text)*3 {
		t.Errorf("%d bytes for %d of JSON", len(stored), len(text))
	}
}

func TestOlderFormsAreRead(t *testing.T) {
	c, trace := newCodec(), typical(2)
	text := must(trace.AppendJSON(nil))
	for name, stored := range map[string][]byte{"JSON": text, "packed JSON": c.old.Encode(nil, text)} {
		again, err := c.unpack(stored)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(trace, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// writtenFirst is what the first program with this form wrote of [first]; what is known or tagged may only grow.
const writtenFirst = `
0101020224414243444546474830303030303030312d31031e010000000ee1362140000f4240ffff04143139322e302e322e323505286d78312e6e65
77732e6578616d706c652e6e65740634626f756e63652d31406e657773312e6578616d706c652e6e6574070308483c32303236303330312e312e6162
63646566406e6577732e6578616d706c652e6e65743e09a6f1050a0c323032362e310b010702250301041305f67e000b01090225033e643d6578616d
706c652e6e657420733d32303236207273612d736861323536042705c68e01000d01227573657231406578616d706c652e6f72670204030113023703
1c32206f66203520646f6d61696e7304ac0205e6d70206012064626c2e7370616d686175732e6f7267022073686f702e6578616d706c652e636f6d03
c8010006012064626c2e7370616d686175732e6f7267021e696d672e6578616d706c652e636f6d03640006011e6d756c74692e757269626c2e636f6d
000004016502d80403e80704b8170661072d0005fa06065d074a73636f726520342e343520726561636865732074616720332e3030206f6620736572
766572086909670a246d61696e2c206c696e6520343a206b6565700b0101086d61696e0265030c6265666f7265040830613162000312233020343a6b
6565700404050e00000f0510b29b0400
`

func TestWhatTheFirstProgramWroteIsRead(t *testing.T) {
	stored, err := hex.DecodeString(strings.ReplaceAll(writtenFirst, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	again, err := newCodec().unpack(stored)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first(), again); diff != "" {
		t.Error(diff)
	}
}

func TestEachKnownTextIsThereOnceAndCanBeFound(t *testing.T) {
	if len(knownNumbers) != len(known) {
		t.Errorf("%d texts, %d different ones", len(known), len(knownNumbers))
	}
	for n, text := range known {
		number, ok := numberOf(new(verdict.Trace), text)
		r := &compactReader{t: new(verdict.Trace)}
		if again := r.numbered(uint64(number)); !ok || r.err != nil || again != text {
			t.Errorf("%q, known text %d, is not found", text, n)
		}
	}
}

func TestATraceOfAHugeGroupIsKeptAndOneThatIsLargerRefused(t *testing.T) {
	c := newCodec()
	huge := typical(1)
	of := huge.Recipients[0]
	of.Policy.DMARCSource = "override for news.example.net"
	of.Checks = []verdict.Check{{Name: verdict.CheckSender, Result: "correspondent", Detail: "the recipient wrote to this sender before", Points: -300}}
	for len(huge.Recipients) < 100_000 {
		of.Address = fmt.Sprintf("somebody.with.a.long.name.%d@department.example.org", len(huge.Recipients))
		huge.Recipients = append(huge.Recipients, of)
	}
	packed, err := c.pack(huge)
	if err != nil || packed[0] != formPacked {
		t.Fatal(err, packed[0])
	}
	if again, err := c.unpack(packed); err != nil || len(again.Recipients) != 100_000 {
		t.Fatal(err)
	}
	t.Logf("100,000 recipients in %d bytes", len(packed))
	huge.Reply = strings.Repeat("x", maxTrace)
	if _, err := c.pack(huge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestAYearThatJSONCannotHoldIsRefused(t *testing.T) {
	c, late := newCodec(), typical(1)
	late.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := c.pack(late); err == nil {
		t.Error("kept")
	}
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	c := newCodec()
	stored := must(c.pack(typical(1)))
	for name, damaged := range map[string][]byte{
		"empty":                 nil,
		"cut":                   stored[:len(stored)/2],
		"more":                  append(append([]byte{}, stored...), 0),
		"an unknown form":       {3},
		"an unknown field":      {formCompact, 99},
		"an unknown known text": {formCompact, traceID, 0xff, 0x7f, 0},
		"a text of 2^62 bytes":  {formCompact, traceID, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		"a number without end":  {formCompact, traceSize, 0xff, 0xff},
		"a version above 2^31":  {formCompact, traceVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0},
		"a time of one byte":    {formCompact, traceAt, 2, 1, 0},
		"a packed form of 2^40": append([]byte{formPacked}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20),
	} {
		if _, err := c.unpack(damaged); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	c := newCodec()
	for _, trace := range extremes() {
		f.Add(must(c.pack(trace)))
	}
	f.Add(append([]byte{formPacked}, s2.Encode(nil, must(c.pack(typical(1)))[1:])...))
	f.Add(c.old.Encode(nil, must(typical(1).AppendJSON(nil))))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{`))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0})
	f.Fuzz(func(t *testing.T, stored []byte) {
		if n, _ := s2.DecodedLen(stored[min(1, len(stored)):]); n > 1<<20 {
			return // a bomb, which costs time and teaches nothing
		}
		trace, err := c.unpack(stored)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			return
		}
		// What can be read can be written, but for a year that cannot, and is read as the same.
		packed, err := c.pack(trace)
		if err != nil {
			return
		}
		again, err := c.unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(trace, again); diff != "" {
			t.Error(diff)
		}
	})
}

// first is the trace of which the first program with this form wrote [writtenFirst].
func first() *verdict.Trace {
	t := typical(1)
	t.Checks, t.Recipients[0].Checks = t.Checks[:2], t.Checks[6:7]
	t.Recipients[0].Run = &verdict.Run{Scripts: []verdict.RunScript{{Name: "main", Role: "before", Owner: "server", Version: "0a1b"}}, Steps: "#0 4:keep", More: 2, Cost: 7}
	t.Recipients[0].Scripts = []string{"main, line 4: keep"}
	t.Author, t.Checks[0].Detail, t.Reply = t.From, t.Helo, accepted+t.ID
	return t
}
