-- +goose Up

-- One number gives every mailbox, original and blob its id; no id is ever given twice.
CREATE TABLE store_state (
    one     {{bigint}} NOT NULL PRIMARY KEY,
    next_id {{bigint}} NOT NULL
);
INSERT INTO store_state (one, next_id) VALUES (1, 1);

-- One row for each account that has mail. The counters are kept by the store on every change; verify recomputes them.
CREATE TABLE store_accounts (
    id               {{bigint}} NOT NULL PRIMARY KEY,
    modseq           {{bigint}} NOT NULL,   -- the last one given, in any mailbox of the account
    last_uidvalidity {{bigint}} NOT NULL,
    used_bytes       {{bigint}} NOT NULL,
    used_messages    {{bigint}} NOT NULL,
    limit_bytes      {{bigint}} NOT NULL,   -- 0 means none
    limit_messages   {{bigint}} NOT NULL
);

CREATE TABLE mailboxes (
    id             {{bigint}} NOT NULL PRIMARY KEY,
    account        {{bigint}} NOT NULL,
    name           {{text}} NOT NULL,       -- UTF-8 NFC, levels separated by '/'
    uidvalidity    {{bigint}} NOT NULL,
    special_use    {{text}} NOT NULL,       -- such as '\Sent', several with spaces between, '' for none
    crc            {{bigint}} NOT NULL,     -- CRC-32C over the columns above
    uidnext        {{bigint}} NOT NULL,
    highest_modseq {{bigint}} NOT NULL,
    vanished_floor {{bigint}} NOT NULL,     -- tombstones up to this modseq may have been dropped
    messages       {{bigint}} NOT NULL,
    unseen         {{bigint}} NOT NULL,
    deleted        {{bigint}} NOT NULL,
    size           {{bigint}} NOT NULL,
    keywords       {{text}} NOT NULL        -- names of flag bits 5, 6, …, with spaces between; '-' for a free bit
);
CREATE UNIQUE INDEX mailboxes_name ON mailboxes (account, name);

-- Mailboxes that were deleted, or whose account was; the reaper takes their messages and tombstones away bit by bit.
CREATE TABLE dead_mailboxes (
    mailbox {{bigint}} NOT NULL PRIMARY KEY,
    account {{bigint}} NOT NULL,
    modseq  {{bigint}} NOT NULL     -- the account's when it was deleted
);

CREATE TABLE subscriptions (
    account {{bigint}} NOT NULL,
    name    {{text}} NOT NULL,
    PRIMARY KEY (account, name)
) {{without_rowid}};

-- Only numbers, so that a mailbox of 20,000 is read in a few milliseconds and flags are changed in few pages.
CREATE TABLE messages (
    mailbox  {{bigint}} NOT NULL,
    uid      {{bigint}} NOT NULL,
    account  {{bigint}} NOT NULL,
    modseq   {{bigint}} NOT NULL,
    flags    {{bigint}} NOT NULL,   -- bits 0 to 4: \Seen \Answered \Flagged \Deleted \Draft; 5 to 62: mailboxes.keywords
    size     {{bigint}} NOT NULL,   -- of prefix and blob
    internal {{bigint}} NOT NULL,   -- Unix seconds
    original {{bigint}} NOT NULL,
    blob     {{bigint}} NOT NULL,
    crc      {{bigint}} NOT NULL,   -- CRC-32C over account, size, internal, original, blob
    PRIMARY KEY (mailbox, uid)
) {{without_rowid}};

-- A message as it came to one account: its own trace header fields before a blob that others may share. Copies within
-- the account name the same original.
CREATE TABLE originals (
    id      {{bigint}} NOT NULL PRIMARY KEY,
    account {{bigint}} NOT NULL,
    blob    {{bigint}} NOT NULL,
    refs    {{bigint}} NOT NULL,    -- rows of messages that name it, less what waits in ref_log
    prefix  {{blob}} NOT NULL,
    crc     {{bigint}} NOT NULL     -- CRC-32C over account, blob, prefix
);

-- Bytes exactly as received, known by their hash.
CREATE TABLE blobs (
    id   {{bigint}} NOT NULL PRIMARY KEY,
    hash {{blob}} NOT NULL,         -- SHA-256 of the bytes
    size {{bigint}} NOT NULL,
    refs {{bigint}} NOT NULL,       -- originals and queued messages that name it
    file {{bigint}} NOT NULL,       -- 0: in blob_data; otherwise part of the name of its file
    crc  {{bigint}} NOT NULL,       -- CRC-32C over the stored form (the row of blob_data, or the file)
    meta {{blob}} NOT NULL,         -- envelope and structure, see message.Meta
    meta_crc {{bigint}} NOT NULL    -- CRC-32C over hash, size, file and meta
);
CREATE UNIQUE INDEX blobs_hash ON blobs (hash);

CREATE TABLE blob_data (
    blob {{bigint}} NOT NULL PRIMARY KEY,
    data {{blob}} NOT NULL          -- zstd
);

-- What was expunged, for QRESYNC. A row stands for all UIDs from first to last.
CREATE TABLE tombstones (
    mailbox {{bigint}} NOT NULL,
    modseq  {{bigint}} NOT NULL,
    first   {{bigint}} NOT NULL,
    last    {{bigint}} NOT NULL,
    account {{bigint}} NOT NULL,
    at      {{bigint}} NOT NULL,    -- Unix seconds
    crc     {{bigint}} NOT NULL,    -- CRC-32C over the columns above
    PRIMARY KEY (mailbox, modseq, first)
) {{without_rowid}};

-- Changes of originals.refs that the reaper has yet to apply, in the order of the ids: copies add, expunges take away.
CREATE TABLE ref_log (
    id       {{id}},
    account  {{bigint}} NOT NULL,
    modseq   {{bigint}} NOT NULL,   -- a view that was not told up to here may still read what went
    original {{bigint}} NOT NULL,
    delta    {{bigint}} NOT NULL
);

-- Deliveries of the last day by the key of their attempt, so that one whose answer was lost is not stored twice.
CREATE TABLE once_keys (
    id          {{bigint}} NOT NULL PRIMARY KEY,
    account     {{bigint}} NOT NULL,
    key         {{blob}} NOT NULL,
    at          {{bigint}} NOT NULL,  -- Unix seconds
    mailbox     {{bigint}} NOT NULL,
    uidvalidity {{bigint}} NOT NULL,
    uid         {{bigint}} NOT NULL
);
CREATE UNIQUE INDEX once_keys_key ON once_keys (account, key);
