package imap

import "encoding/base64"

// appendBase64 is how challenges travel. RFC 9051 6.2.2
func appendBase64(dst, src []byte) []byte { return base64.StdEncoding.AppendEncode(dst, src) }
