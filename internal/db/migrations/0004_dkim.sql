-- The private keys that sign for our domains. The database file is readable by the server alone (0600).

-- +goose Up
CREATE TABLE dkim_keys (
    id         {{id}},
    domain     {{text}} NOT NULL,
    selector   {{text}} NOT NULL,
    algorithm  {{text}} NOT NULL,                   -- 'rsa' or 'ed25519', as in the k= tag (RFC 6376 3.6.1, RFC 8463 3)
    state      {{text}} NOT NULL,                   -- 'pending', 'active' or 'retired'
    private    {{blob}} NOT NULL,                   -- PKCS #8, DER
    created    {{bigint}} NOT NULL,                 -- Unix seconds
    changed    {{bigint}} NOT NULL,                 -- when the state was entered, Unix seconds
    UNIQUE (domain, selector)
);
