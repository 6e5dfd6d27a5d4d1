package bayes

// Token stands for a word or another feature of a message: a hash of its name. The same name has the same token in every
// version of the program with the same [Version].
type Token uint64

// Version of the tokens; what was learnt with another version is not compared.
const Version = 1

// Count is in how many messages of each class a token was seen.
type Count struct {
	Spam uint32 `json:"spam"`
	Ham  uint32 `json:"ham"`
}

// Model knows how often tokens were seen. Its methods may be called concurrently.
type Model interface {
	// Totals is how many messages of each class were learnt.
	Totals() Count
	// Counts fills counts, which is as long as tokens.
	Counts(tokens []Token, counts []Count)
}
