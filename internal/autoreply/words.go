package autoreply

import (
	"io"
	"strings"

	"postern/internal/message"
)

// Subjects of notices and automatic answers, in lower case. Those of bounces may stand anywhere in the subject, for some
// servers put their name before them; those of answers begin it.
var (
	bounceSubjects = []string{
		"undeliver", "delivery status", "delivery failure", "delivery failed", "delivery has failed",
		"delivery error", "failure notice", "failed mail", "returned mail", "returned e-mail", "mail delivery f", "mail delivery s",
		"mail delivery e", "mail returned", "returned to sender", "non delivery", "non-delivery", "nondeliver", "non-deliver",
		"delivery notification", "delivery problem", "delivery report", "could not be delivered", "cannot be delivered",
		"not be delivered", "unable to deliver", "was not delivered", "not delivered:", "message delivery", "mail system error",
		"failure delivery", "mail failure", "error sending your mail", "[bounce]", "bounced mail", "bounced message",
		"postmaster notify", "postfix smtp server: errors", "mail rejected", "rejected mail", "rejected by",
		"message you sent blocked", "error report from",
		"mail error", "email bounce", "bounce notification", "unknown user", "user unknown", "mail could not", "mail undeliver",
		"dsn: ", "message status - undeliver", "nicht zugestellt", "unzustellbar", "zustellung fehlgeschlagen", "nicht zustellbar",
		"no entregado", "no se puede entregar", "no se pudo entregar", "error de entrega", "non remis", "non distribu",
		"échec de remise", "échec de la remise", "echec de la remise", "impossible de remettre", "mancato recapito",
		"mancata consegna", "impossibile recapitare", "não entregue", "nao entregue", "falha na entrega", "onbestelbaar",
		"niet bezorgd", "kan inte levereras", "oleverera", "kunne ikke leveres", "niedostarczon", "nie można dostarczyć",
		"недоставлен", "не доставлен", "ошибка доставки", "退信", "投递失败", "無法傳遞", "未送達", "配信不能", "配信エラー",
		"配送エラー", "メール送信エラー", "送信エラー", "配信できません", "配信に失敗", "配信失敗", "エラーメール", "배달 실패", "반송",
	}
	delaySubjects = []string{
		"message delayed", "mail delayed", "delivery delayed", "delivery delay", "delayed mail", "still being retried", "warning: could not send",
		"warning: message", "warning: unable to deliver", "transient failure", "verzögert", "配信遅延",
	}
	replySubjects = []string{
		"auto:", "auto reply", "auto-reply", "autoreply", "auto response", "auto-response", "autoresponse", "automatic reply",
		"automatic response", "automated reply", "automated response", "out of office", "out-of-office", "out of the office", "ooo:",
		"vacation reply", "vacation:", "abwesenheit", "abwesend", "automatische antwort", "autoantwort", "réponse automatique",
		"reponse automatique", "absence du bureau", "respuesta automática", "respuesta automatica", "fuera de la oficina",
		"risposta automatica", "fuori sede", "resposta automática", "automatisch antwoord", "automatische beantwoording", "autosvar",
		"automaattinen", "automatyczna odpowiedź", "odpowiedź automatyczna", "автоответ", "автоматический ответ", "自动回复",
		"自動回覆", "自動応答", "自動返信", "자동 응답",
	}
	receiptSubjects   = []string{"read:", "read receipt", "return receipt", "disposition notification", "gelesen:", "lesebestätigung", "lu :"}
	reportSubjects    = []string{"report domain:"}
	complaintSubjects = []string{"complaint about message from", "abuse report", "email feedback report", "feedback report"}
)

func bySubject(m *message.Message, _ io.ReaderAt) (Kind, string) {
	subject := strings.ToLower(message.DecodeHeader(m.Envelope.Subject))
	subject = strings.TrimSpace(strings.ReplaceAll(subject, "_", " "))
	subject = withoutForward(subject)
	if isReply(subject) {
		return Personal, "" // of a person, about a notice
	}
	for _, s := range []struct {
		kind   Kind
		phrase []string
		begin  bool
	}{
		{Report, reportSubjects, false}, // RFC 7489 7.2.1.1; some put a word before it
		{Complaint, complaintSubjects, true},
		{AutoReply, replySubjects, true},
		{Receipt, receiptSubjects, true},
		{Delay, delaySubjects, false},
		{Bounce, bounceSubjects, false},
	} {
		for _, phrase := range s.phrase {
			if s.begin && strings.HasPrefix(subject, phrase) || !s.begin && strings.Contains(subject, phrase) {
				return s.kind, "the subject is " + clip(m.Envelope.Subject)
			}
		}
	}
	return Personal, ""
}

// isReply reports whether a subject begins like that of a person's answer.
func isReply(subject string) bool {
	for _, prefix := range []string{"re:", "aw:", "sv:", "vs:", "antw:", "rif:", "res:", "odp:"} {
		if strings.HasPrefix(subject, prefix) {
			return true
		}
	}
	return false
}

// withoutForward takes off what forwarded mail begins with: a notice that a person hands on needs no answer either.
func withoutForward(subject string) string {
	for _, prefix := range []string{"fwd:", "fw:", "wg:", "tr:", "rv:", "vl:", "pd:"} {
		if rest, ok := strings.CutPrefix(subject, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return subject
}

// maxWords is how much of a message's text is looked at, in bytes.
const maxWords = 4 << 10

// firstWords are those with which mail systems begin their notices, in lower case.
var firstWords = []string{
	"this message was created automatically by mail delivery software", "a message that you sent could not be delivered",
	"the original message was received at", "this is the mail system at host", "this is the mail delivery system",
	"this is the postfix program at host", "this is the qmail-send program", "i'm afraid i wasn't able to deliver your message",
	"i wasn't able to deliver your message", "your message could not be delivered", "your message was not delivered",
	"your message did not reach", "did not reach the following recipient", "delivery to the following recipient",
	"the following message to <", "this is an automatically generated delivery status notification", "permanent error occurred",
	"the message you sent to", "this is an informative message sent by", "the following addresses had permanent fatal errors",
	"could not be delivered to one or more recipients", "could not be delivered to the following", "this report relates to a message you sent",
	"unable to deliver message to the following", "message could not be delivered to", "delivery has failed to these recipients",
	"mail delivery failed: returning message to sender", "undeliverable mail", "your mail message to the following address",
	"sorry, your message", "this is an automatic message", "this is an automated message", "this is an automated response",
	"this is an automatic reply", "esta es una respuesta automática", "dies ist eine automatisch", "diese nachricht wurde automatisch",
	"ceci est un message automatique", "次の宛先へのメッセージ", "次のあて先",
}

// byFirstWords reads the beginning of the first text.
func byFirstWords(m *message.Message, content io.ReaderAt) (Kind, string) {
	if content == nil {
		return Personal, ""
	}
	var first *message.Part
	walk(m.Root, func(p *message.Part) {
		if first == nil && p.IsText() {
			first = p
		}
	})
	if first == nil {
		return Personal, ""
	}
	near := 1000
	if isReply(strings.ToLower(message.DecodeHeader(m.Envelope.Subject))) {
		near = 100 // a person quotes further down
	}
	b, _ := io.ReadAll(io.LimitReader(message.TextReader(first, content), maxWords)) // what could be read decides
	text := strings.Join(strings.Fields(strings.ToLower(string(b))), " ")
	for _, words := range firstWords {
		if i := strings.Index(text, words); i >= 0 && i < near {
			return Bounce, "the text begins with: " + clip(words)
		}
	}
	return Personal, ""
}
