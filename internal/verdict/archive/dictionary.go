package archive

// dictionary is what traces were packed against while they were stored as JSON. Rows are unpacked with it, so it stays as it is.
const dictionary = `"greylist":"virus":"junk","dmarc":"quarantine","dmarc_source":"override for ","scanner":"rspamd"` +
	`"action":"greylist","rule":"dmarc: reject, as the author's domain asks"` +
	`"rule":"the recipient's list allows the sender"` + `"rule":"the recipient's list blocks the sender"` +
	`reaches tag 3.00 of server"},"mailbox":"INBOX","filed_by":"default"}],` +
	`"action":"reject","rule":"score 15.00 reaches reject 15.00 of server"}}],"reply":"550 5.7.1 ` +
	`"action":"junk","rule":"score 5.00 reaches junk 5.00 of server"},"mailbox":"Junk","filed_by":"spam"}],` +
	`,"checks":[{"name":"sender","result":"known","points":0.00,"micros":` +
	`{"name":"scanner","result":"unavailable","detail":"` + `{"name":"virus","result":"infected","detail":"` +
	`{"name":"arc","result":"pass","detail":"` + `{"name":"iprev","result":"fail","points":0.00,` +
	`"result":"permerror","detail":"` + `"result":"temperror","detail":"` + `"result":"softfail","detail":"` + `"result":"neutral",` +
	`.com","points":0.10},{"name":"` + `.org","points":-0.10},{"name":"` + `.net"` + `HTML_` + `SUBJECT_` + `MISSING_` + `FROM_` + `URI_` + `MIME_` +
	`{"version":1,"id":"","at":"2026-01-01T00:00:00.000000000Z","client":"","helo":"mail.","from":"bounce@","author":"",` +
	`"message_id":"\u003c@mail.gmail.com\u003e","size":10000,"engine":"1","checks":[` +
	`{"name":"spf","result":"fail","detail":"","points":1.00,"micros":1000},` +
	`{"name":"spf","result":"pass","detail":"","points":-0.10,"micros":1000},` +
	`{"name":"dkim","result":"none","points":0.00,"micros":10},` +
	`{"name":"dkim","result":"pass","detail":"d=example.com s=default rsa-sha256","points":-0.10,"micros":1000},` +
	`{"name":"dmarc","result":"fail","detail":"","points":0.00,"micros":100},` +
	`{"name":"dmarc","result":"pass","detail":"","points":-0.10,"micros":100},` +
	`{"name":"arc","result":"none","points":0.00,"micros":1},` +
	`{"name":"iprev","result":"pass","points":0.00,"micros":1000},` +
	`{"name":"dnsbl","result":"listed","detail":"zen.spamhaus.org","points":3.00,"micros":1000},` +
	`{"name":"dnsbl","result":"none","points":0.00,"micros":1000},` +
	`{"name":"uribl","result":"listed","detail":"","points":2.50,"micros":1000,"parts":[{"name":"dbl.spamhaus.org","detail":"","points":2.50}]},` +
	`{"name":"uribl","result":"none","points":0.00,"micros":1000},` +
	`{"name":"rules","result":"matched","points":1.00,"micros":100,"parts":[{"name":"","detail":"","points":0.50},{"name":"","points":0.00}]},` +
	`{"name":"bayes","result":"unsure","detail":"","points":0.00,"micros":100,"parts":[{"name":"","points":0.99},{"name":"","points":-0.99}]},` +
	`{"name":"bayes","result":"ham","points":-1.00,"micros":100},` + `{"name":"bayes","result":"spam","points":3.50,"micros":100},` +
	`{"name":"reputation","result":"known","detail":"","points":0.00,"micros":10},` +
	`{"name":"scanner","result":"ham","points":0.00,"micros":10000},` +
	`{"name":"virus","result":"clean","points":0.00,"micros":1000},` +
	`{"name":"greylist","result":"passed","points":0.00,"micros":1}],` +
	`"recipients":[{"address":"","account":1,"policy":{"source":"server","tag":3.00,"junk":5.00,"reject":15.00,"virus":"reject","dmarc":"none"},` +
	`"verdict":{"score":0.00,"action":"inbox","rule":"score 0.00"},"mailbox":"INBOX","filed_by":"default"}],` +
	`"reply":"250 2.6.0 Accepted as ","micros":10000}`
