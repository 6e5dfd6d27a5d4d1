-- People and policy. Addresses stand twice: as their key (local part case-folded), which is what is looked up, and as
-- they are written. Times are Unix seconds, truth values 0 and 1.

-- +goose Up
CREATE TABLE settings (
    name  {{text}} NOT NULL PRIMARY KEY,
    value {{text}} NOT NULL
) {{without_rowid}};

CREATE TABLE directory_domains (
    name      {{text}} NOT NULL PRIMARY KEY,   -- lower-case A-labels
    separator {{text}} NOT NULL,               -- of subaddresses; '' means none
    catch_all {{text}} NOT NULL,               -- address that gets what no one else does; '' means none
    created   {{bigint}} NOT NULL
) {{without_rowid}};

-- Every local address that was given to somebody, whatever it is: the key is taken once.
CREATE TABLE directory_addresses (
    address_key {{text}} NOT NULL PRIMARY KEY,
    address     {{text}} NOT NULL,
    domain      {{text}} NOT NULL REFERENCES directory_domains (name),
    kind        {{bigint}} NOT NULL,           -- 1 account, 2 alias, 3 group
    title       {{text}} NOT NULL              -- what a group is for
) {{without_rowid}};

CREATE INDEX directory_addresses_domain ON directory_addresses (domain, address_key);

CREATE TABLE directory_accounts (
    id               {{bigint}} NOT NULL PRIMARY KEY,   -- from directory_state, never used twice
    address_key      {{text}} NOT NULL UNIQUE REFERENCES directory_addresses (address_key),
    name             {{text}} NOT NULL,
    admin            {{bigint}} NOT NULL,
    disabled         {{bigint}} NOT NULL,
    quota            {{bigint}} NOT NULL,               -- bytes; 0 is the setting quota.default, -1 no limit
    verifier         {{text}} NOT NULL,                 -- of the password, a PHC string; see directory/verifier.go
    scram            {{blob}} NOT NULL,                 -- of the same for SCRAM-SHA-256, encrypted; see directory/seal.go
    password_changed {{bigint}} NOT NULL,
    created          {{bigint}} NOT NULL
);

CREATE TABLE directory_alias_targets (
    address_key {{text}} NOT NULL REFERENCES directory_addresses (address_key),
    account_id  {{bigint}} NOT NULL REFERENCES directory_accounts (id),
    PRIMARY KEY (address_key, account_id)
) {{without_rowid}};

CREATE INDEX directory_alias_targets_account ON directory_alias_targets (account_id);

CREATE TABLE directory_group_members (
    address_key {{text}} NOT NULL REFERENCES directory_addresses (address_key),
    member_key  {{text}} NOT NULL,
    member      {{text}} NOT NULL,             -- local or not
    PRIMARY KEY (address_key, member_key)
) {{without_rowid}};

CREATE INDEX directory_group_members_member ON directory_group_members (member_key);

-- Addresses that an account may send as beyond its own.
CREATE TABLE directory_grants (
    account_id  {{bigint}} NOT NULL REFERENCES directory_accounts (id),
    address_key {{text}} NOT NULL,
    address     {{text}} NOT NULL,
    PRIMARY KEY (account_id, address_key)
) {{without_rowid}};

CREATE INDEX directory_grants_address ON directory_grants (address_key);

-- 'next_account': the last id given, in decimal. 'scram_secret': what salts of unknown users are made from, in hexadecimal.
CREATE TABLE directory_state (
    name  {{text}} NOT NULL PRIMARY KEY,
    value {{text}} NOT NULL
) {{without_rowid}};
