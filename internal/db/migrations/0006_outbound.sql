-- Accounts whose outgoing mail waits because they sent as no person does.

-- +goose Up
CREATE TABLE outbound_holds (
    account {{bigint}} NOT NULL PRIMARY KEY,
    address {{text}} NOT NULL,          -- the account's own, when it was put on hold
    since   {{bigint}} NOT NULL,        -- Unix seconds
    reason  {{text}} NOT NULL           -- a line for people
);
