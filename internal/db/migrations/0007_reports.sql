-- Reports that others sent us about domains of ours, and what we gather to report to others. Times are Unix seconds, days
-- are counted from 1970-01-01 in UTC, truth values 0 and 1.

-- +goose Up
CREATE TABLE reports (
    id            {{id}},
    kind          {{text}} NOT NULL,       -- dmarc or tls
    domain        {{text}} NOT NULL,       -- ours
    org_key       {{text}} NOT NULL,       -- the reporter's name, case-folded
    report_id     {{text}} NOT NULL,
    org           {{text}} NOT NULL,
    contact       {{text}} NOT NULL,
    begins        {{bigint}} NOT NULL,
    ends          {{bigint}} NOT NULL,
    received      {{bigint}} NOT NULL,
    sender        {{text}} NOT NULL,       -- domain of the message that brought it
    authenticated {{bigint}} NOT NULL,     -- SPF or DKIM vouch for the sender
    policy        {{text}} NOT NULL,       -- as the reporter saw it
    total         {{bigint}} NOT NULL,     -- messages, or sessions
    failed        {{bigint}} NOT NULL,     -- of these, for which neither DKIM nor SPF vouched, or whose TLS failed
    cut           {{bigint}} NOT NULL      -- of these, in records that were too many to be kept
);
CREATE UNIQUE INDEX reports_identity ON reports (kind, domain, org_key, report_id);
CREATE INDEX reports_period ON reports (domain, ends);
CREATE INDEX reports_received ON reports (received);

CREATE TABLE report_records (
    report        {{bigint}} NOT NULL,
    n             {{bigint}} NOT NULL,
    source        {{text}} NOT NULL,       -- address that sent, '' for none that can be read
    messages      {{bigint}} NOT NULL,
    disposition   {{text}} NOT NULL,
    dkim          {{text}} NOT NULL,       -- pass when it is aligned too
    spf           {{text}} NOT NULL,
    header_from   {{text}} NOT NULL,
    envelope_from {{text}} NOT NULL,
    detail        {{text}} NOT NULL,       -- JSON: reasons and results
    PRIMARY KEY (report, n)
) {{without_rowid}};

CREATE TABLE report_sessions (
    report         {{bigint}} NOT NULL,
    n              {{bigint}} NOT NULL,
    policy         {{text}} NOT NULL,      -- sts, tlsa, no-policy-found
    result         {{text}} NOT NULL,      -- '' for success, or why they failed
    sessions       {{bigint}} NOT NULL,
    receiving_host {{text}} NOT NULL,
    receiving_ip   {{text}} NOT NULL,
    sending_ip     {{text}} NOT NULL,
    reason         {{text}} NOT NULL,
    PRIMARY KEY (report, n)
) {{without_rowid}};

-- How much came for a domain in a day, so that nobody can fill the disk.
CREATE TABLE report_days (
    domain  {{text}} NOT NULL,
    day     {{bigint}} NOT NULL,
    reports {{bigint}} NOT NULL,
    records {{bigint}} NOT NULL,
    refused {{bigint}} NOT NULL,           -- reports that were not kept, for they were too many
    PRIMARY KEY (domain, day)
) {{without_rowid}};

-- Domains of others that we have something to report to.
CREATE TABLE report_seen_domains (
    kind     {{text}} NOT NULL,
    day      {{bigint}} NOT NULL,
    domain   {{text}} NOT NULL,
    record   {{text}} NOT NULL,            -- the DMARC record as it was last seen
    records  {{bigint}} NOT NULL,          -- rows of report_seen
    cut      {{bigint}} NOT NULL,          -- messages or sessions beyond them
    next_try {{bigint}} NOT NULL,
    tries    {{bigint}} NOT NULL,
    PRIMARY KEY (kind, day, domain)
) {{without_rowid}};

CREATE INDEX report_seen_domains_day ON report_seen_domains (day, kind, domain);

CREATE TABLE report_seen (
    kind   {{text}} NOT NULL,
    day    {{bigint}} NOT NULL,
    domain {{text}} NOT NULL,
    hash   {{blob}} NOT NULL,              -- of detail
    detail {{text}} NOT NULL,              -- JSON: what all counted here have in common
    count  {{bigint}} NOT NULL,
    PRIMARY KEY (kind, day, domain, hash)
) {{without_rowid}};

-- What became of our reports, for each destination.
CREATE TABLE report_sent (
    kind        {{text}} NOT NULL,
    day         {{bigint}} NOT NULL,
    domain      {{text}} NOT NULL,
    destination {{text}} NOT NULL,
    state       {{text}} NOT NULL,         -- sent, refused, failed
    report_id   {{text}} NOT NULL,
    at          {{bigint}} NOT NULL,
    total       {{bigint}} NOT NULL,       -- messages, or sessions
    note        {{text}} NOT NULL,         -- why not sent
    PRIMARY KEY (kind, day, domain, destination)
) {{without_rowid}};
CREATE INDEX report_sent_at ON report_sent (at);
