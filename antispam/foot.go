package antispam

import "bytes"

// The most that a mailing list puts under a message, and what must stand above it for it to be that.
const (
	footBytes, footLines = 800, 12
	minBody              = 80
)

// footOf is where the lines begin that a mailing list puts under each message, such as how to leave it: behind the last line
// that parts them from the message. It is the length of the text if there are none.
func footOf(text []byte) int {
	foot, lines := len(text), 0
	for at := len(text); at > 0 && lines < footLines && len(text)-at < footBytes; {
		begin := bytes.LastIndexByte(text[:at-1], '\n') + 1
		if isRuler(text[begin:at]) {
			foot = begin
		}
		at = begin
		lines++
	}
	if foot < minBody {
		return len(text)
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
