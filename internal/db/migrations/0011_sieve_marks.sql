-- What filters remember of mail and of scripts: whom an account answered, what it has seen, what it was told of.

-- +goose Up
CREATE TABLE sieve_marks (
    account {{bigint}} NOT NULL,    -- 0 for the administrator's scripts
    mark    {{blob}} NOT NULL,      -- SHA-256 of what is remembered
    until   {{bigint}} NOT NULL,    -- Unix seconds
    PRIMARY KEY (account, mark)
);
CREATE INDEX sieve_marks_until ON sieve_marks (until);
