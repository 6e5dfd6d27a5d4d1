-- Annotations of mailboxes (IMAP METADATA), and what was done with messages in mailboxes for which a script has yet to run.

-- +goose Up
CREATE TABLE annotations (
    account {{bigint}} NOT NULL,
    mailbox {{bigint}} NOT NULL,    -- 0 for those of the server, of which each account has its own
    entry   {{text}} NOT NULL,      -- such as '/shared/comment', in lower case
    size    {{bigint}} NOT NULL,    -- bytes of value
    crc     {{bigint}} NOT NULL,    -- CRC-32C over all of the above and value
    value   {{blob}} NOT NULL,
    PRIMARY KEY (account, mailbox, entry)
) {{without_rowid}};

-- One row for each command, written by its transaction; what a script was run for is taken out of it bit by bit.
CREATE TABLE imapsieve_queue (
    id       {{id}},
    account  {{bigint}} NOT NULL,
    mailbox  {{bigint}} NOT NULL,
    cause    {{bigint}} NOT NULL,   -- 1 APPEND, 2 COPY and MOVE, 3 flags
    flags    {{text}} NOT NULL,     -- names of those that changed, with spaces between
    number   {{bigint}} NOT NULL,   -- messages that wait
    messages {{blob}} NOT NULL      -- runs of their UIDs, each with what of flags changed
);
CREATE INDEX imapsieve_queue_account ON imapsieve_queue (account, id);
