-- How messages were judged, and by whose policy. Times are Unix milliseconds.

-- +goose Up

-- One row for each judged message, appended in the order of the ids, which rise by one. Old ones go from the other end.
CREATE TABLE spam_traces (
    id    {{bigint}} NOT NULL PRIMARY KEY,
    at    {{bigint}} NOT NULL,      -- when it was stored; never less than that of the row before
    crc   {{bigint}} NOT NULL,      -- CRC-32C over id, at and trace
    trace {{blob}} NOT NULL         -- a verdict.Trace as JSON, packed where that pays (archive/codec.go)
);

-- By what a trace is found: its transaction, its Message-ID, each recipient. Hashes alone would scatter over the whole
-- index; within a segment of the ids they stay together, so that what is written lies in memory and what is old goes as one
-- range.
CREATE TABLE spam_trace_keys (
    segment {{bigint}} NOT NULL,    -- 65,536 ids
    hash    {{bigint}} NOT NULL,    -- the first 8 bytes of a SHA-256
    trace   {{bigint}} NOT NULL,
    PRIMARY KEY (segment, hash, trace)
) {{without_rowid}};

-- Accounts that were removed: nothing of them is shown, and their part of the traces is erased in the background.
CREATE TABLE spam_forgotten (
    account {{bigint}} NOT NULL PRIMARY KEY,
    at      {{bigint}} NOT NULL
);

-- Thresholds that differ from the settings, in hundredths of a point; null where they do not. A row is of a user
-- (account set, domain '') or of a domain (account 0, its name in A-labels).
CREATE TABLE spam_policies (
    account  {{bigint}} NOT NULL,
    domain   {{text}} NOT NULL,
    tag      {{bigint}},
    junk     {{bigint}},
    reject   {{bigint}},
    greylist {{bigint}},
    PRIMARY KEY (account, domain)
) {{without_rowid}};

-- Senders that are allowed or blocked for a user, a domain, or everybody here (account 0, domain '').
CREATE TABLE spam_senders (
    account {{bigint}} NOT NULL,
    domain  {{text}} NOT NULL,
    pattern {{text}} NOT NULL,      -- the key of an address, '@' and a domain, or a domain that means its subdomains too
    kind    {{text}} NOT NULL,      -- 'allow' or 'block'
    created {{bigint}} NOT NULL,
    PRIMARY KEY (account, domain, pattern)
) {{without_rowid}};
