// Package testmail makes what strangers make to hurt: messages and documents of every known kind of attack, in any size. Tests
// of parsers measure what each costs, and tests of the whole server send them. Nothing outside tests imports it.
package testmail

// Class is a kind of attack.
type Class struct {
	Name string
	// Text gives one of about n bytes, as far as the kind has that many.
	Text func(n int) string
}
