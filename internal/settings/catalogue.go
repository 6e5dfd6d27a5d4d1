package settings

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"postern/internal/address"
)

// The keys. Each stands in the catalogue below under the same number.
const (
	SMTPMaxMessageSize IntKey = iota
	SMTPMaxRecipients  IntKey = iota
	SMTPMaxErrors      IntKey = iota
	SMTPMaxCommands    IntKey = iota

	SMTPIdleTimeout    DurationKey = iota
	SMTPLoginTimeout   DurationKey = iota
	SMTPSessionTimeout DurationKey = iota
	SMTPDataTimeout    DurationKey = iota
	SMTPGreetDelay     DurationKey = iota

	SMTPMaxConnections      IntKey = iota
	SMTPMaxConnectionsPerIP IntKey = iota

	SMTPMaxMessagesPerConnection IntKey = iota

	LimitsConnectionsPerSecondPerIP IntKey = iota

	AuthAttemptsPerSecondPerIP   IntKey      = iota
	AuthMaxFailuresPerConnection IntKey      = iota
	AuthBackoffFree              IntKey      = iota
	AuthBackoffInitial           DurationKey = iota
	AuthBackoffMax               DurationKey = iota
	AuthBackoffDecay             DurationKey = iota
	AuthKnownNetworkTTL          DurationKey = iota
	AuthCacheTTL                 DurationKey = iota
	AuthMaxConcurrentHashes      IntKey      = iota
	AuthMaxWait                  DurationKey = iota
	PasswordIterations           IntKey      = iota
	PasswordScramIterations      IntKey      = iota

	IMAPIdleTimeout              DurationKey = iota
	IMAPLoginTimeout             DurationKey = iota
	IMAPMaxConnections           IntKey      = iota
	IMAPMaxConnectionsPerIP      IntKey      = iota
	IMAPMaxConnectionsPerAccount IntKey      = iota
	IMAPMaxLiteral               IntKey      = iota
	IMAPMaxCommandSize           IntKey      = iota
	IMAPMaxAppendSize            IntKey      = iota
	IMAPMaxErrors                IntKey      = iota

	AuthOfferPlus BoolKey = iota

	DNSBLEnabled BoolKey     = iota
	DNSBLZones   ListKey     = iota
	DNSBLTimeout DurationKey = iota
	DNSBLAllow   ListKey     = iota
	DNSBLDQSKey  StringKey   = iota

	QueueMaxAge       DurationKey = iota
	QueueDelayNotice  DurationKey = iota
	QueueRetryInitial DurationKey = iota
	QueueRetryMax     DurationKey = iota
	QueueConcurrency  IntKey      = iota
	QueuePerDomain    IntKey      = iota

	StoreTombstoneAge  DurationKey = iota
	StoreTombstonesMax IntKey      = iota

	MessageReceivedLimit IntKey = iota

	QuotaDefault IntKey = iota

	DirectoryGroupDepth      IntKey = iota
	DirectoryGroupRecipients IntKey = iota

	SpamTagScore      ScoreKey    = iota
	SpamJunkScore     ScoreKey    = iota
	SpamRejectScore   ScoreKey    = iota
	SpamGreylistScore ScoreKey    = iota
	SpamVirusAction   StringKey   = iota
	DMARCOverride     ListKey     = iota
	ARCTrustedSealers ListKey     = iota
	SpamTraceKeep     DurationKey = iota
	SpamTraceMax      IntKey      = iota

	OutboundEnabled              BoolKey = iota
	OutboundMessagesPerHour      IntKey  = iota
	OutboundRecipientsPerHour    IntKey  = iota
	OutboundNewRecipientsPerHour IntKey  = iota
	OutboundBouncesPerHour       IntKey  = iota
	OutboundNetworksPerHour      IntKey  = iota
	OutboundScore                IntKey  = iota
	OutboundJunkPerHour          IntKey  = iota

	SpamShareTraining      BoolKey     = iota
	SpamReputationHalfLife DurationKey = iota
	SpamReputationMax      IntKey      = iota
	SpamCorrespondentKeep  DurationKey = iota
	GreylistEnabled        BoolKey     = iota
	GreylistDelay          DurationKey = iota
	GreylistRetryWindow    DurationKey = iota
	GreylistKeep           DurationKey = iota
	GreylistKnownAfter     IntKey      = iota
	GreylistMax            IntKey      = iota

	SpamEnabled       BoolKey     = iota
	SpamScanner       StringKey   = iota
	SpamScannerSecret StringKey   = iota
	SpamScanTimeout   DurationKey = iota
	VirusScanner      StringKey   = iota
	URIBLZones        ListKey     = iota
	URIBLTimeout      DurationKey = iota

	ReportsDMARCSend BoolKey     = iota
	ReportsTLSSend   BoolKey     = iota
	ReportsContact   StringKey   = iota
	ReportsKeep      DurationKey = iota

	SieveMaxScripts    IntKey = iota
	SieveMaxScriptSize IntKey = iota
	SieveMaxStorage    IntKey = iota

	SieveMaxNotices        IntKey  = iota
	SieveProtectedFields   ListKey = iota
	SieveSubaddressFolders BoolKey = iota

	settingCount = iota
)

var catalogue = [settingCount]Definition{
	SMTPMaxMessageSize: {Name: "smtp.max_message_size", Kind: KindSize, Unit: "bytes", Min: 64 * kib, Max: 1 * gib, Default: "50MiB",
		Doc: "Largest message taken in on any SMTP port, announced as SIZE."},
	SMTPMaxRecipients: {Name: "smtp.max_recipients", Kind: KindCount, Unit: "recipients", Min: 100, Max: 10000, Default: "100",
		Doc: "Recipients of one message; further RCPT commands are answered 452. RFC 5321 4.5.3.1.8 asks for 100 at least."},
	SMTPMaxErrors: {Name: "smtp.max_errors", Kind: KindCount, Unit: "replies", Min: 1, Max: 1000, Default: "10",
		Doc: "Refused commands after which a connection is closed with 421."},
	SMTPMaxCommands: {Name: "smtp.max_commands", Kind: KindCount, Unit: "commands", Min: 100, Max: 1000000000, Default: "1000000",
		Doc: "Commands of one connection after which it is closed with 421."},
	SMTPIdleTimeout: {Name: "smtp.idle_timeout", Kind: KindDuration, Unit: "time", Min: int64(10 * time.Second), Max: int64(time.Hour), Default: "5m",
		Doc: "Wait for the next command. RFC 5321 4.5.3.2.7 asks for 5 minutes."},
	SMTPLoginTimeout: {Name: "smtp.login_timeout", Kind: KindDuration, Unit: "time", Min: int64(10 * time.Second), Max: int64(time.Hour), Default: "2m",
		Doc: "Time from the connection to a successful login on the submission ports."},
	SMTPSessionTimeout: {Name: "smtp.session_timeout", Kind: KindDuration, Unit: "time", Min: int64(time.Minute), Max: int64(day), Default: "30m",
		Doc: "Whole life of a connection that has not logged in."},
	SMTPDataTimeout: {Name: "smtp.data_timeout", Kind: KindDuration, Unit: "time", Min: int64(time.Minute), Max: int64(4 * time.Hour), Default: "10m",
		Doc: "Time to send one message's bytes, however they drip."},
	SMTPGreetDelay: {Name: "smtp.greet_delay", Kind: KindDuration, Unit: "time", Min: 0, Max: int64(30 * time.Second), Default: "0s",
		Doc: "Pause before the greeting on port 25; a client that talks before it is refused."},
	SMTPMaxConnections: {Name: "smtp.max_connections", Kind: KindCount, Unit: "connections", Min: 1, Max: 100000, Default: "1000",
		Doc: "Concurrent connections on all SMTP ports; further ones are answered 421."},
	SMTPMaxConnectionsPerIP: {Name: "smtp.max_connections_per_ip", Kind: KindCount, Unit: "connections", Min: 1, Max: 100000, Default: "300",
		Doc: "Concurrent connections of one IPv4 address or IPv6 /64 on all SMTP ports."},
	SMTPMaxMessagesPerConnection: {Name: "smtp.max_messages_per_connection", Kind: KindCount, Unit: "messages", Min: 1, Max: 1000000000, Default: "100000",
		Doc: "Messages of one connection after which it is closed with 421."},

	LimitsConnectionsPerSecondPerIP: {Name: "limits.connections_per_second_per_ip", Kind: KindCount, Unit: "connections/s", Min: 1, Max: 100000, Default: "50",
		Doc: "New connections per second of one IPv4 address or IPv6 /64 on the mail ports."},

	AuthAttemptsPerSecondPerIP: {Name: "auth.attempts_per_second_per_ip", Kind: KindCount, Unit: "attempts/s", Min: 1, Max: 10000, Default: "10",
		Doc: "Login attempts per second of one IPv4 address or IPv6 /64 on every service together. Those that succeed are not counted."},
	AuthMaxFailuresPerConnection: {Name: "auth.max_failures_per_connection", Kind: KindCount, Unit: "attempts", Min: 1, Max: 100, Default: "3",
		Doc: "Failed logins after which a connection is closed."},
	AuthBackoffFree: {Name: "auth.backoff_free", Kind: KindCount, Unit: "attempts", Min: 0, Max: 1000, Default: "3",
		Doc: "Failed logins of one network to one account before it is slowed."},
	AuthBackoffInitial: {Name: "auth.backoff_initial", Kind: KindDuration, Unit: "time", Min: int64(100 * time.Millisecond), Max: int64(time.Minute), Default: "1s",
		Doc: "First delay of a network that failed to log in to an account; doubles with each further failure."},
	AuthBackoffMax: {Name: "auth.backoff_max", Kind: KindDuration, Unit: "time", Min: int64(time.Second), Max: int64(day), Default: "15m",
		Doc: "Longest such delay. Attempts that would wait longer than auth.max_wait are refused until it is over."},
	AuthBackoffDecay: {Name: "auth.backoff_decay", Kind: KindDuration, Unit: "time", Min: int64(time.Minute), Max: int64(30 * day), Default: "10m",
		Doc: "Quiet time after which one failed login is forgiven."},
	AuthKnownNetworkTTL: {Name: "auth.known_network_ttl", Kind: KindDuration, Unit: "time", Min: 0, Max: int64(90 * day), Default: "30d",
		Doc: "How long a network from which an account has logged in is trusted with typing errors: it may fail ten times as often before it is slowed, and is then never slowed by more than auth.backoff_initial."},
	AuthCacheTTL: {Name: "auth.cache_ttl", Kind: KindDuration, Unit: "time", Min: 0, Max: int64(time.Hour), Default: "10m",
		Doc: "How long a correct password is recognised without hashing it anew; 0 switches that off. No password is kept for it."},
	AuthMaxConcurrentHashes: {Name: "auth.max_concurrent_hashes", Kind: KindCount, Unit: "hashes", Min: 0, Max: 256, Default: "0",
		Doc: "Passwords hashed at the same time; 0 means one for each two processors, two at least. One of them is always free of the network that uses the others."},
	AuthMaxWait: {Name: "auth.max_wait", Kind: KindDuration, Unit: "time", Min: int64(time.Second), Max: int64(time.Minute), Default: "10s",
		Doc: "Longest wait of a login attempt for its turn, after which it is refused for now."},
	PasswordIterations: {Name: "password.pbkdf2_iterations", Kind: KindCount, Unit: "rounds", Min: 600000, Max: 10000000, Default: "600000",
		Doc: "PBKDF2-SHA256 rounds of stored passwords. Raising it re-hashes each password at its next login by PLAIN."},
	PasswordScramIterations: {Name: "password.scram_iterations", Kind: KindCount, Unit: "rounds", Min: 4096, Max: 10000000, Default: "65536",
		Doc: "PBKDF2-SHA256 rounds that clients compute to log in by SCRAM-SHA-256. Clients on Cyrus SASL refuse more than 65536, and others take seconds. What the server keeps for it is encrypted with a key outside the database, so that a leaked database can only be attacked through password.pbkdf2_iterations. A change reaches each account at its next login by PLAIN."},

	IMAPIdleTimeout: {Name: "imap.idle_timeout", Kind: KindDuration, Unit: "time", Min: int64(30 * time.Minute), Max: int64(day), Default: "30m",
		Doc: "Wait for the next command of a session that has logged in. RFC 9051 5.4 asks for 30 minutes at least."},
	IMAPLoginTimeout: {Name: "imap.login_timeout", Kind: KindDuration, Unit: "time", Min: int64(10 * time.Second), Max: int64(time.Hour), Default: "3m",
		Doc: "Time from the connection to a successful login."},
	IMAPMaxConnections: {Name: "imap.max_connections", Kind: KindCount, Unit: "connections", Min: 1, Max: 1000000, Default: "16000",
		Doc: "Concurrent IMAP connections."},
	IMAPMaxConnectionsPerIP: {Name: "imap.max_connections_per_ip", Kind: KindCount, Unit: "connections", Min: 1, Max: 1000000, Default: "12000",
		Doc: "Concurrent IMAP connections of one IPv4 address or IPv6 /64. Offices share an address, and each client opens several."},
	IMAPMaxConnectionsPerAccount: {Name: "imap.max_connections_per_account", Kind: KindCount, Unit: "connections", Min: 1, Max: 1000000, Default: "12000",
		Doc: "Concurrent IMAP connections of one account. An idle one costs little; lower it where many strangers share a server."},
	IMAPMaxLiteral: {Name: "imap.max_literal_size", Kind: KindSize, Unit: "bytes", Min: 4 * kib, Max: 16 * mib, Default: "256KiB",
		Doc: "Largest literal of a command other than APPEND, after login. Before login it is 4 KiB."},
	IMAPMaxCommandSize: {Name: "imap.max_command_size", Kind: KindSize, Unit: "bytes", Min: 8 * kib, Max: 64 * mib, Default: "1MiB",
		Doc: "Largest command with its literals other than APPEND's, after login. Before login it is 8 KiB."},
	IMAPMaxAppendSize: {Name: "imap.max_append_size", Kind: KindSize, Unit: "bytes", Min: 64 * kib, Max: 1 * gib, Default: "50MiB",
		Doc: "Largest message that APPEND takes, announced as APPENDLIMIT."},
	IMAPMaxErrors: {Name: "imap.max_errors", Kind: KindCount, Unit: "responses", Min: 1, Max: 1000, Default: "20",
		Doc: "Commands answered BAD in a row after which a session is closed."},

	AuthOfferPlus: {Name: "auth.offer_scram_plus", Kind: KindBool, Unit: "switch", Default: "false",
		Doc: "Name SCRAM-SHA-256-PLUS among the login mechanisms. It is there for clients that ask for it either way; some programs, mutt among them, take it because it is the strongest named and then fail."},

	DNSBLEnabled: {Name: "dnsbl.enabled", Kind: KindBool, Unit: "switch", Default: "true",
		Doc: "Ask block lists about clients of port 25 before MAIL is accepted."},
	DNSBLZones: {Name: "dnsbl.zones", Kind: KindList, Unit: "zones", Min: 0, Max: 20, Default: "zen.spamhaus.org", Check: checkZone,
		Doc: "Block lists that refuse a client: a zone, such as zen.spamhaus.org, optionally with the answers that are a listing and a weight, such as bl.example.org=127.0.0.2|127.0.0.4-127.0.0.9*0.5. A client is refused when the weights of its listings reach 1."},
	DNSBLTimeout: {Name: "dnsbl.timeout", Kind: KindDuration, Unit: "time", Min: int64(100 * time.Millisecond), Max: int64(time.Minute), Default: "5s",
		Doc: "Wait for a block list's answer; without one the mail is accepted and an alert raised."},
	DNSBLAllow: {Name: "dnsbl.allow", Kind: KindList, Unit: "addresses or networks", Min: 0, Max: 10000, Default: "", Check: checkNetwork,
		Doc: "Clients that are never looked up, such as 192.0.2.1 or 2001:db8::/32."},
	DNSBLDQSKey: {Name: "dnsbl.dqs_key", Kind: KindString, Unit: "text", Min: 0, Max: 128, Default: "", Secret: true, Check: checkLabel,
		Doc: "Spamhaus DQS key: zones of spamhaus.org are then asked as KEY.zone.dq.spamhaus.net, which works through any resolver."},

	QueueMaxAge: {Name: "queue.max_age", Kind: KindDuration, Unit: "time", Min: int64(time.Hour), Max: int64(30 * day), Default: "5d",
		Doc: "How long delivery is tried before the sender is told that it failed. RFC 5321 4.5.4.1 asks for 4 to 5 days."},
	QueueDelayNotice: {Name: "queue.delay_notice", Kind: KindDuration, Unit: "time", Min: int64(10 * time.Minute), Max: int64(5 * day), Default: "4h",
		Doc: "When the sender is told that a message still waits."},
	QueueRetryInitial: {Name: "queue.retry_initial", Kind: KindDuration, Unit: "time", Min: int64(10 * time.Second), Max: int64(day), Default: "5m",
		Doc: "First pause between attempts; grows with each."},
	QueueRetryMax: {Name: "queue.retry_max", Kind: KindDuration, Unit: "time", Min: int64(time.Minute), Max: int64(day), Default: "4h",
		Doc: "Longest pause between attempts."},
	QueueConcurrency: {Name: "queue.concurrency", Kind: KindCount, Unit: "deliveries", Min: 1, Max: 10000, Default: "100",
		Doc: "Deliveries at the same time."},
	QueuePerDomain: {Name: "queue.per_domain", Kind: KindCount, Unit: "deliveries", Min: 1, Max: 1000, Default: "5",
		Doc: "Deliveries at the same time to one destination domain."},

	StoreTombstoneAge: {Name: "store.tombstone_age", Kind: KindDuration, Unit: "time", Min: int64(day), Max: int64(3650 * day), Default: "90d",
		Doc: "How long it is remembered which messages were expunged, for clients that were away (QRESYNC)."},
	StoreTombstonesMax: {Name: "store.tombstones_max", Kind: KindCount, Unit: "messages", Min: 100, Max: 10000000, Default: "100000",
		Doc: "How many expunged messages a mailbox remembers at most."},

	MessageReceivedLimit: {Name: "message.received_limit", Kind: KindCount, Unit: "fields", Min: 10, Max: 500, Default: "50",
		Doc: "Received fields above which a message is refused as a loop."},

	QuotaDefault: {Name: "quota.default", Kind: KindSize, Unit: "bytes", Min: 0, Max: 1 << 50, Default: "0",
		Doc: "Storage of accounts that have no quota of their own; 0 means no limit."},

	DirectoryGroupDepth: {Name: "directory.group_depth", Kind: KindCount, Unit: "groups", Min: 1, Max: 32, Default: "8",
		Doc: "How deep groups within groups are followed."},
	DirectoryGroupRecipients: {Name: "directory.group_recipients", Kind: KindCount, Unit: "recipients", Min: 1, Max: 100000, Default: "5000",
		Doc: "Recipients that one address may stand for when all its groups are unfolded."},

	ReportsDMARCSend: {Name: "reports.dmarc_send", Kind: KindBool, Unit: "switch", Default: "true",
		Doc: "Tell the owners of other domains once a day who sent mail in their name (RFC 9990), where their DMARC records ask for it."},
	ReportsTLSSend: {Name: "reports.tls_send", Kind: KindBool, Unit: "switch", Default: "true",
		Doc: "Tell other domains once a day how TLS with their servers went (RFC 8460), where they ask for it."},
	ReportsContact: {Name: "reports.contact", Kind: KindString, Unit: "text", Min: 0, Max: 254, Default: "", Check: checkAddress,
		Doc: "Address that our reports come from and that answers to them; it must be at a domain of this server. Empty means postmaster at the server's own domain."},
	ReportsKeep: {Name: "reports.keep", Kind: KindDuration, Unit: "time", Min: int64(day), Max: int64(3650 * day), Default: "400d",
		Doc: "How long received reports, and what is remembered of those we sent, are kept."},

	SpamShareTraining: {Name: "spam.share_training", Kind: KindBool, Unit: "switch", Default: "true",
		Doc: "Learn what an account teaches for the whole server as well, so that new accounts profit. Only how often words were seen is kept."},
	SpamReputationHalfLife: {Name: "spam.reputation_half_life", Kind: KindDuration, Unit: "time", Min: int64(time.Hour), Max: int64(3650 * day), Default: "30d",
		Doc: "Time after which a message counts half for the reputation of where it came from."},
	SpamReputationMax: {Name: "spam.reputation_max", Kind: KindCount, Unit: "rows", Min: 1000, Max: 100000000, Default: "1000000",
		Doc: "Networks, domains, addresses and host names whose reputation is kept; those of which least is known go first."},
	SpamCorrespondentKeep: {Name: "spam.correspondent_keep", Kind: KindDuration, Unit: "time", Min: int64(day), Max: int64(3650 * day), Default: "400d",
		Doc: "How long it is remembered whom an account has written to."},
	GreylistEnabled: {Name: "greylist.enabled", Kind: KindBool, Unit: "switch", Default: "false",
		Doc: "Ask clients that nobody knows to come again later. It keeps some spam out and delays first messages."},
	GreylistDelay: {Name: "greylist.delay", Kind: KindDuration, Unit: "time", Min: 0, Max: int64(day), Default: "5m",
		Doc: "How long a client has to wait before it may come again."},
	GreylistRetryWindow: {Name: "greylist.retry_window", Kind: KindDuration, Unit: "time", Min: int64(time.Hour), Max: int64(7 * day), Default: "1d",
		Doc: "How long it may take to come again. RFC 5321 4.5.4.1 lets servers wait hours between attempts."},
	GreylistKeep: {Name: "greylist.keep", Kind: KindDuration, Unit: "time", Min: int64(day), Max: int64(400 * day), Default: "36d",
		Doc: "How long it is remembered who came again, counted from the last message: enough for what comes once a month."},
	GreylistKnownAfter: {Name: "greylist.known_after", Kind: KindCount, Unit: "messages", Min: 1, Max: 1000, Default: "5",
		Doc: "How often clients of a network must have come again until the whole network is let through: an IPv4 /24 or an IPv6 /64."},
	GreylistMax: {Name: "greylist.max", Kind: KindCount, Unit: "rows", Min: 1000, Max: 100000000, Default: "1000000",
		Doc: "Attempts and networks that are remembered; those that would be forgotten soonest go first."},

	OutboundEnabled: {Name: "outbound.enabled", Kind: KindBool, Unit: "switch", Default: "true",
		Doc: "Watch what users send to others: an account that passes one of the limits outbound.* is put on hold until `postern user lift`, its mail waits in the queue, and the administrator is told. When off, nobody is put on hold anew."},
	OutboundMessagesPerHour: {Name: "outbound.messages_per_hour", Kind: KindCount, Unit: "messages/h", Min: 0, Max: 1000000, Default: "500",
		Doc: "Messages to others that an account may send, counted so that a burst of this many or a steady stream of this many an hour passes; 0 means no limit. A newsletter that is sent to each of its readers by itself needs as many as it has readers."},
	OutboundRecipientsPerHour: {Name: "outbound.recipients_per_hour", Kind: KindCount, Unit: "recipients/h", Min: 0, Max: 1000000, Default: "1000",
		Doc: "Recipients elsewhere to whom an account may send; 0 means no limit."},
	OutboundNewRecipientsPerHour: {Name: "outbound.new_recipients_per_hour", Kind: KindCount, Unit: "recipients/h", Min: 0, Max: 1000000, Default: "500",
		Doc: "Recipients elsewhere to whom an account may send for the first time; 0 means no limit."},
	OutboundBouncesPerHour: {Name: "outbound.bounces_per_hour", Kind: KindCount, Unit: "recipients/h", Min: 0, Max: 1000000, Default: "100",
		Doc: "Recipients of an account whom other servers may refuse for good; 0 means no limit. Bought and guessed lists of addresses are full of them."},
	OutboundNetworksPerHour: {Name: "outbound.networks_per_hour", Kind: KindCount, Unit: "networks/h", Min: 0, Max: 1000000, Default: "20",
		Doc: "Networks from which an account may send, an IPv4 address or an IPv6 /64 each; the last eight are known as its own and not counted again. 0 means no limit. Stolen passwords are used from many machines at once."},
	OutboundScore: {Name: "outbound.score", Kind: KindCount, Unit: "points", Min: 0, Max: 1000, Default: "8",
		Doc: "Spam score from which a message that a user sends counts for outbound.junk_per_hour; 0 means that none does."},
	OutboundJunkPerHour: {Name: "outbound.junk_per_hour", Kind: KindCount, Unit: "messages/h", Min: 0, Max: 1000000, Default: "5",
		Doc: "Messages of at least the score outbound.score that an account may send; 0 means no limit."},

	SpamEnabled: {Name: "spam.enabled", Kind: KindBool, Unit: "switch", Default: "true",
		Doc: "Judge mail from the world: who sent it, DMARC, spam, viruses. Off, everything is taken as it comes but for block lists and mail that claims to be from a domain of this server, and nothing is written into its header."},
	SpamScanner: {Name: "spam.scanner", Kind: KindString, Unit: "scanner", Min: 0, Max: 200, Default: "", Check: checkSpamScanner,
		Doc: "External spam filter that judges every message in place of the built-in engine: spamd:127.0.0.1:783, spamd:/run/spamd.sock or rspamd:http://127.0.0.1:11333; empty for the built-in engine. When it does not answer, mail is accepted and the administrator is told."},
	SpamScannerSecret: {Name: "spam.scanner_secret", Kind: KindString, Unit: "text", Min: 0, Max: 200, Default: "", Secret: true,
		Doc: "Password of rspamd, where it asks for one."},
	SpamScanTimeout: {Name: "spam.scan_timeout", Kind: KindDuration, Unit: "time", Min: int64(time.Second), Max: int64(5 * time.Minute), Default: "30s",
		Doc: "Wait for an external scanner's answer about one message."},
	VirusScanner: {Name: "virus.scanner", Kind: KindString, Unit: "scanner", Min: 0, Max: 200, Default: "", Check: checkVirusScanner,
		Doc: "Virus scanner that sees every message: clamd:/run/clamav/clamd.ctl or clamd:127.0.0.1:3310; empty for none."},
	URIBLZones: {Name: "uribl.zones", Kind: KindList, Unit: "zones", Min: 0, Max: 20, Default: "dbl.spamhaus.org", Check: checkZone,
		Doc: "Lists of domains that are asked about what a message links to and who it is from; written as dnsbl.zones are. A listing adds to the score."},
	URIBLTimeout: {Name: "uribl.timeout", Kind: KindDuration, Unit: "time", Min: int64(100 * time.Millisecond), Max: int64(time.Minute), Default: "5s",
		Doc: "Wait for the answers of these lists; without one the message is judged by what else is known."},

	SpamTagScore: {Name: "spam.tag_score", Kind: KindScore, Unit: "points", Min: 0, Max: maxScore, Default: "3.00",
		Doc: "Score from which a message is delivered marked as suspicious; 0 never marks. Domains and users may differ: `postern spam policy`."},
	SpamJunkScore: {Name: "spam.junk_score", Kind: KindScore, Unit: "points", Min: 0, Max: maxScore, Default: "5.00",
		Doc: "Score from which a message is delivered into Junk; 0 never is. Domains and users may differ: `postern spam policy`."},
	SpamRejectScore: {Name: "spam.reject_score", Kind: KindScore, Unit: "points", Min: 0, Max: maxScore, Default: "15.00",
		Doc: "Score from which a message is refused; 0 never refuses by score. Domains and users may differ: `postern spam policy`."},
	SpamGreylistScore: {Name: "spam.greylist_score", Kind: KindScore, Unit: "points", Min: 0, Max: maxScore, Default: "2.00",
		Doc: "Score from which senders that are not known yet are told to come again later; 0 never tells them. Domains and users may differ: `postern spam policy`."},
	SpamVirusAction: {Name: "spam.virus_action", Kind: KindString, Unit: "action", Min: 1, Max: 6, Default: "reject", Check: checkVirusAction,
		Doc: "What is done with a message in which a virus was found: reject, or junk."},
	DMARCOverride: {Name: "dmarc.override", Kind: KindList, Unit: "domains", Min: 0, Max: 10000, Default: "", Check: checkOverride,
		Doc: "Domains whose DMARC policy is not what they ask for when a message fails it: example.org=none, with quarantine and reject as the other policies; subdomains are meant too, the longest name counts, and * is every domain."},
	ARCTrustedSealers: {Name: "arc.trusted_sealers", Kind: KindList, Unit: "domains", Min: 0, Max: 10000, Default: "", Check: checkSealer,
		Doc: "Domains, such as those of mailing lists and forwarders, whose ARC seals are believed about what a message was before they changed it."},
	SpamTraceKeep: {Name: "spam.trace_keep", Kind: KindDuration, Unit: "time", Min: int64(time.Hour), Max: int64(3650 * day), Default: "30d",
		Doc: "How long it is remembered how a message was judged, for `postern spam explain` and its kin."},
	SpamTraceMax: {Name: "spam.trace_max", Kind: KindCount, Unit: "messages", Min: 0, Max: 1000000000, Default: "1000000",
		Doc: "How many judgements are remembered at most; the oldest go first. One takes about a kilobyte."},

	SieveMaxScripts: {Name: "sieve.max_scripts", Kind: KindCount, Unit: "scripts", Min: 1, Max: 1000, Default: "50",
		Doc: "Sieve scripts that an account can keep; one of them is active."},
	SieveMaxScriptSize: {Name: "sieve.max_script_size", Kind: KindSize, Unit: "bytes", Min: 1 * kib, Max: 4 * mib, Default: "256KiB",
		Doc: "Largest Sieve script."},
	SieveMaxStorage: {Name: "sieve.max_storage", Kind: KindSize, Unit: "bytes", Min: 1 * kib, Max: 1 * gib, Default: "4MiB",
		Doc: "Space for all Sieve scripts of an account together."},

	SieveMaxNotices: {Name: "sieve.max_notices", Kind: KindCount, Unit: "notices a day", Min: 0, Max: 100000, Default: "200",
		Doc: "Notices that an account's scripts can send in 24 hours by notify; 0 is none at all."},
	SieveProtectedFields: {Name: "sieve.protected_fields", Kind: KindList, Unit: "fields", Min: 0, Max: 100, Default: "", Check: checkFieldName,
		Doc: "Header fields that scripts may neither add nor delete, besides those that say where a message comes from and how it was judged. A * at the end stands for all names that begin so; Subject can always be changed."},
	SieveSubaddressFolders: {Name: "sieve.subaddress_folders", Kind: KindBool, Unit: "switch", Default: "false",
		Doc: "Whether mail for user+folder@ goes into the folder of that name, if the user has one, where no script says otherwise."},
}

// maxScore is the highest threshold, in hundredths.
const maxScore = 1000_00

func checkVirusAction(s string) error {
	if s != "reject" && s != "junk" {
		return fmt.Errorf("%q is no action for viruses; write reject or junk", s)
	}
	return nil
}

func checkOverride(s string) error {
	domain, policy, _ := strings.Cut(s, "=")
	if policy != "none" && policy != "quarantine" && policy != "reject" {
		return fmt.Errorf("%q is no override of a DMARC policy; write one such as example.org=none, with none, quarantine or reject", s)
	}
	if domain == "*" {
		return nil
	}
	return checkSealer(domain)
}

func checkSealer(s string) error {
	if checkDomainName(s) != nil || strings.HasSuffix(s, ".") {
		return fmt.Errorf("%q is not a domain name; write one such as example.org", s)
	}
	return nil
}

func checkSpamScanner(s string) error {
	kind, where, _ := strings.Cut(s, ":")
	if kind == "spamd" && isSocket(where) || kind == "rspamd" && isRoot(where) {
		return nil
	}
	return fmt.Errorf("%q is no spam filter; write one such as spamd:127.0.0.1:783, spamd:/run/spamd.sock or rspamd:http://127.0.0.1:11333", s)
}

// isSocket tells a path, or a host with a port. Package scanner reads more strictly; what passes here is at least no slip.
func isSocket(where string) bool {
	if strings.HasPrefix(where, "/") {
		return true
	}
	host, port, err := net.SplitHostPort(where)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && host != "" && n > 0
}

// isRoot tells the URL of a whole server.
func isRoot(where string) bool {
	u, err := url.Parse(where)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == ""
}

func checkVirusScanner(s string) error {
	kind, where, _ := strings.Cut(s, ":")
	if kind != "clamd" || !isSocket(where) {
		return fmt.Errorf("%q is no virus scanner; write one such as clamd:/run/clamav/clamd.ctl or clamd:127.0.0.1:3310", s)
	}
	return nil
}

// zoneOptions is what may stand behind a zone's name: codes and a weight. Package dnsbl reads them.
var zoneOptions = regexp.MustCompile(`^(=127\.[0-9.]+(-127\.[0-9.]+)?(\|127\.[0-9.]+(-127\.[0-9.]+)?)*)?(\*[0-9]{1,3}(\.[0-9]{1,3})?)?$`)

func checkZone(s string) error {
	end := strings.IndexAny(s, "=*")
	if end < 0 {
		end = len(s)
	}
	if !zoneOptions.MatchString(s[end:]) {
		return fmt.Errorf("%q is not a zone; write one such as zen.spamhaus.org or bl.example.org=127.0.0.2|127.0.0.4-127.0.0.9*0.5", s)
	}
	return checkDomainName(s[:end])
}

func checkDomainName(s string) error {
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if err := checkLabel(label); err != nil {
			return fmt.Errorf("%q is not a domain name; write one such as zen.spamhaus.org", s)
		}
	}
	if len(s) > 253 || !strings.Contains(s, ".") {
		return fmt.Errorf("%q is not a domain name; write one such as zen.spamhaus.org", s)
	}
	return nil
}

func checkAddress(s string) error {
	if _, err := address.Parse(s); err != nil {
		return fmt.Errorf("%q is not a mail address; write one such as postmaster@example.org", s)
	}
	return nil
}

func checkLabel(s string) error {
	ok := len(s) > 0 && len(s) <= 63 && !strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
	for i := 0; i < len(s); i++ {
		c := s[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return fmt.Errorf("this is not one label of a domain name; write letters and digits only")
	}
	return nil
}

func checkNetwork(s string) error {
	if _, err := netip.ParsePrefix(s); err == nil {
		return nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	return fmt.Errorf("%q is not an address or network; write one such as 192.0.2.1 or 2001:db8::/32", s)
}

func checkFieldName(s string) error {
	ok := s != "" && len(s) <= 100
	for i := 0; i < len(s); i++ {
		ok = ok && s[i] > ' ' && s[i] < 0x7f && s[i] != ':'
	}
	if !ok {
		return fmt.Errorf("%q is no name of a header field; write one such as List-Id, without a colon", s)
	}
	return nil
}
