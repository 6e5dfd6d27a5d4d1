-- Sieve scripts: those of accounts, and those that the administrator runs before and after them for a domain or for
-- everybody. Times are Unix milliseconds.

-- +goose Up

-- An owner is an account (account set, domain ''), a domain (account 0, its name in A-labels) or the server (0 and ''). The
-- content stands last, so that what is asked about a script is read without it.
CREATE TABLE sieve_scripts (
    id      {{id}},
    account {{bigint}} NOT NULL,
    domain  {{text}} NOT NULL,
    role    {{bigint}} NOT NULL,    -- 0 the owner's own, 1 run before those of accounts, 2 run after them
    name    {{text}} NOT NULL,      -- in NFC
    size    {{bigint}} NOT NULL,    -- bytes of content
    active  {{bigint}} NOT NULL,    -- 1 for the one that is run
    changed {{bigint}} NOT NULL,    -- when the content was put
    hash    {{blob}} NOT NULL,      -- SHA-256 of content
    crc     {{bigint}} NOT NULL,    -- CRC-32C over all of the above but id
    content {{blob}} NOT NULL
);
CREATE UNIQUE INDEX sieve_scripts_name ON sieve_scripts (account, domain, role, name);
CREATE UNIQUE INDEX sieve_scripts_active ON sieve_scripts (account, domain, role) WHERE active = 1;
