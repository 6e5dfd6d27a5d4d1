package antispam

import (
	"strings"

	"postern/internal/message"
)

// Source names who a message is from as far as its vocabulary goes: the list, else the author's organization. Learning
// counts a source's messages as less the more of them there are.
func Source(m *message.Message) string {
	for _, name := range []string{"List-Id", "List-Post", "X-Mailing-List", "Mailing-List", "X-BeenThere", "Sender"} {
		if value := m.Header.Get(name); value != "" {
			return strings.ToLower(clip(value, 200))
		}
	}
	if len(m.Envelope.From) > 0 {
		return organization(domainOf(m.Envelope.From[0]))
	}
	return ""
}
