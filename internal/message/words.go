package message

// words are the texts that most structures consist of; Meta has their numbers in place of them. The order is part of the
// format: add at the end only.
var words = [...]string{
	"text", "plain", "html", "multipart", "alternative", "mixed",
	"related", "signed", "report", "message", "rfc822", "delivery-status",
	"application", "octet-stream", "pdf", "image", "jpeg", "png",
	"gif", "calendar", "charset", "utf-8", "us-ascii", "iso-8859-1",
	"windows-1252", "boundary", "name", "filename", "format", "flowed",
	"delsp", "yes", "7bit", "8bit", "binary", "quoted-printable",
	"base64", "attachment", "inline", "size", "pgp-signature",
	"pkcs7-signature", "report-type", "UTF-8", "rfc822-headers", "method",
	"type", "zip", "protocol", "micalg", "en", "text/html", "digest",
	"global", "disposition-notification", "ISO-8859-1",
}

// wordCode is the place of b in words, or -1.
func wordCode[T string | []byte](b T) int {
	for i, w := range words {
		if len(w) == len(b) && w[0] == b[0] && w == string(b) {
			return i
		}
	}
	return -1
}
