package antispam

import "bytes"

// The most that a mailing list puts under a message, and what must stand above it for it to be that: a third of the text and
// so many bytes. Anybody can call a message one of a list's, and must not be heard less than that for it.
const (
	footBytes, footLines = 800, 12
	minBody, bodyShare   = 80, 3
)

// footOf is where the lines begin that a mailing list puts under each message, such as how to leave it: with the first of
// the last lines that parts them from the message. It is the length of the text if there are none.
func footOf(text []byte) int {
	foot, lines, least := len(text), 0, max(minBody, len(text)/bodyShare)
	for at := len(text); at > least && lines < footLines && len(text)-at < footBytes; {
		begin := bytes.LastIndexByte(text[:at-1], '\n') + 1
		if begin >= least && isRuler(text[begin:at]) {
			foot = begin
		}
		at = begin
		lines++
	}
	return foot
}

// isRuler: such a line parts a message from what stands under it.
func isRuler(line []byte) bool {
	line = bytes.TrimRight(line, "\r\n")
	if string(line) == "-- " || string(line) == "--" {
		return true
	}
	return len(line) >= 20 && (len(bytes.Trim(line, "_")) == 0 || len(bytes.Trim(line, "-")) == 0 || len(bytes.Trim(line, "=")) == 0)
}
