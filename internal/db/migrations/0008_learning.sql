-- What the server has seen of senders, and what accounts have taught it about spam. All of it is statistics: nothing here
-- can be turned back into a message or an address without knowing it already. Times are Unix seconds, days since 1970.

-- +goose Up

-- How many rows the bounded tables below hold, kept with every change so that nobody has to count.
CREATE TABLE reputation_tables (
    name       {{text}} NOT NULL PRIMARY KEY,
    row_number {{bigint}} NOT NULL
) {{without_rowid}};
INSERT INTO reputation_tables (name, row_number) VALUES ('reputation', 0);
INSERT INTO reputation_tables (name, row_number) VALUES ('greylist', 0);

-- Decaying counters of what a network, domain, address or host name has sent.
CREATE TABLE reputation (
    id      {{bigint}} NOT NULL PRIMARY KEY,   -- keyed hash of what is counted
    ham     {{bigint}} NOT NULL,               -- thousandths of a message, as of at
    spam    {{bigint}} NOT NULL,
    at      {{bigint}} NOT NULL,
    expires {{bigint}} NOT NULL                -- when both have decayed to nothing
);
CREATE INDEX reputation_expires ON reputation (expires, id);

-- Who tried to deliver what to whom, and networks that came back often enough.
CREATE TABLE greylist (
    id      {{bigint}} NOT NULL PRIMARY KEY,   -- keyed hash of network, sender and recipient, or of the network
    first   {{bigint}} NOT NULL,               -- first attempt
    passed  {{bigint}} NOT NULL,               -- how often it was let through
    at      {{bigint}} NOT NULL,               -- last attempt that was written down
    expires {{bigint}} NOT NULL
);
CREATE INDEX greylist_expires ON greylist (expires, id);

-- Whom an account has written to.
CREATE TABLE correspondents (
    account {{bigint}} NOT NULL,
    peer    {{bigint}} NOT NULL,               -- keyed hash of the address
    day     {{bigint}} NOT NULL,               -- when last
    PRIMARY KEY (account, peer)
) {{without_rowid}};
CREATE INDEX correspondents_day ON correspondents (day, account, peer);

-- What one account taught, or with account 0 all of them. A model that is given up keeps its row until its tokens are gone.
CREATE TABLE learn_models (
    id           {{id}},
    account      {{bigint}} NOT NULL,
    version      {{bigint}} NOT NULL,          -- of the tokens
    state        {{bigint}} NOT NULL,          -- 0 in use, 1 given up, 2 given up and to be taken out of account 0's as well
    spam         {{bigint}} NOT NULL,          -- messages
    ham          {{bigint}} NOT NULL,
    shared_spam  {{bigint}} NOT NULL,          -- those of them that account 0's model counts too
    shared_ham   {{bigint}} NOT NULL,
    token_number {{bigint}} NOT NULL,          -- rows of learn_tokens
    key_number   {{bigint}} NOT NULL           -- rows of learn_messages
);

CREATE TABLE learn_tokens (
    model {{bigint}} NOT NULL,
    token {{bigint}} NOT NULL,
    spam  {{bigint}} NOT NULL,                 -- messages that had it
    ham   {{bigint}} NOT NULL,
    worth {{bigint}} NOT NULL,                 -- what goes first when there are too many: the rare, then the old
    PRIMARY KEY (model, token)
) {{without_rowid}};
CREATE INDEX learn_tokens_worth ON learn_tokens (model, worth, token);

-- As what a message was learnt, so that it is learnt once and can be taken back.
CREATE TABLE learn_messages (
    model  {{bigint}} NOT NULL,
    id     {{blob}} NOT NULL,                  -- 16 bytes of the hash of its bytes
    class  {{bigint}} NOT NULL,                -- 1 spam, 2 ham
    shared {{bigint}} NOT NULL,                -- 1: account 0's model counts it too
    day    {{bigint}} NOT NULL,
    PRIMARY KEY (model, id)
) {{without_rowid}};
CREATE INDEX learn_messages_day ON learn_messages (model, day, id);

-- Messages to be learnt, written by the transaction that moved them: UIDs first to last of a mailbox.
CREATE TABLE learn_queue (
    id        {{id}},
    account   {{bigint}} NOT NULL,
    mailbox   {{bigint}} NOT NULL,
    first_uid {{bigint}} NOT NULL,
    last_uid  {{bigint}} NOT NULL,
    class     {{bigint}} NOT NULL
);
CREATE INDEX learn_queue_account ON learn_queue (account, id);
