package powercut_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// enough is how many messages an owner lets a mailbox grow to before it tidies up.
const enough = 150

var manyFlags = []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`, "$Forwarded", "$Junk", "red", "green", "blue"}

func someFlags(r *rand.Rand) []string {
	var flags []string
	for _, f := range manyFlags {
		if r.IntN(4) == 0 {
			flags = append(flags, f)
		}
	}
	return flags
}

// storeFlags is what STORE makes of a message's flags.
func storeFlags(verb, flags string, by []string) string {
	has := strings.Fields(flags)
	switch verb {
	case "add":
		return canonical(append(has, by...))
	case "remove":
		return canonical(slices.DeleteFunc(has, func(f string) bool { return slices.Contains(by, f) }))
	}
	return canonical(by)
}

// draw chooses the next change.
func (o *owner) draw() *change {
	names := slices.Sorted(maps.Keys(o.boxes))
	name := names[o.r.IntN(len(names))]
	if inbox := o.boxes["INBOX"]; inbox != nil && len(inbox.mail) > 0 && o.r.IntN(3) > 0 {
		name = "INBOX" // where the mail is
	}
	b := o.boxes[name]
	marked := slices.DeleteFunc(b.uids(), func(uid uint32) bool { return !strings.Contains(b.mail[uid].flags, `\Deleted`) })
	switch n := o.r.IntN(20); {
	case len(marked) > 0 && n < 8:
		return &change{verb: "expunge", box: name, uids: marked}
	case len(b.mail) > enough:
		return &change{verb: "add", box: name, uids: o.some(b, 100+o.r.IntN(len(b.mail))), flags: []string{`\Deleted`}}
	case n < 10 && len(b.mail) > 0:
		flags := append(someFlags(o.r), manyFlags[o.r.IntN(len(manyFlags))])
		return &change{verb: []string{"add", "add", "remove", "set"}[o.r.IntN(4)], box: name, uids: o.some(b, 30), flags: flags}
	case n < 12 && len(b.mail) > 0:
		return &change{verb: "add", box: name, uids: o.some(b, 20), flags: []string{`\Deleted`}}
	case n < 14 && len(b.mail) > 0:
		return &change{verb: "move", box: name, dest: o.another(names, name), uids: o.some(b, 30)}
	case n < 16 && len(b.mail) > 0:
		return &change{verb: "copy", box: name, dest: o.another(names, name), uids: o.some(b, 10)}
	case n < 18:
		return o.drawNames()
	}
	return &change{verb: "append", box: o.another(names, "INBOX"), flags: someFlags(o.r)}
}

// some chooses up to n messages.
func (o *owner) some(b *box, n int) []uint32 {
	uids := b.uids()
	o.r.Shuffle(len(uids), func(i, j int) { uids[i], uids[j] = uids[j], uids[i] })
	uids = uids[:1+o.r.IntN(min(n, len(uids)))]
	slices.Sort(uids)
	return uids
}

// another chooses a mailbox that is neither the named one nor INBOX, where only mail arrives.
func (o *owner) another(names []string, but string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == but || n == "INBOX" })
	if len(names) == 0 {
		return but
	}
	return names[o.r.IntN(len(names))]
}

// drawNames chooses a change of the tree.
func (o *owner) drawNames() *change {
	var there, free []string
	for i := range 6 {
		name := fmt.Sprintf("%s/%d", o.prefix, i)
		if o.boxes[name] != nil {
			there = append(there, name)
		} else {
			free = append(free, name)
		}
	}
	n := o.r.IntN(10)
	switch {
	case len(there) == 0 || len(free) > 0 && n < 4:
		return &change{verb: "create", box: free[o.r.IntN(len(free))]}
	case len(free) > 0 && n < 8:
		return &change{verb: "rename", box: there[o.r.IntN(len(there))], dest: free[o.r.IntN(len(free))]}
	}
	return &change{verb: "delete", box: there[o.r.IntN(len(there))]}
}
