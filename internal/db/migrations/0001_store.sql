-- +goose Up

-- One row for each account that has mail. The counters are kept by the store on every change; verify recomputes them.
CREATE TABLE store_accounts (
    id             {{bigint}} NOT NULL PRIMARY KEY,
    modseq         {{bigint}} NOT NULL,   -- the last one given, in any mailbox of the account
    next_mailbox   {{bigint}} NOT NULL,   -- the UIDVALIDITY that the next mailbox gets at least
    used_bytes     {{bigint}} NOT NULL,
    used_messages  {{bigint}} NOT NULL,
    limit_bytes    {{bigint}} NOT NULL,   -- 0 means none
    limit_messages {{bigint}} NOT NULL
);
