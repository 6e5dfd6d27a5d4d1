-- What leaves the server and has not left yet. A row of queue_recipients exists exactly as long as somebody must still be
-- told or tried: it is deleted in the transaction that records delivery or queues the bounce. Times are Unix milliseconds.
-- The ids are given by the queue, rise for ever and are never used twice.

-- +goose Up
CREATE TABLE queue_messages (
    id          {{bigint}} PRIMARY KEY,
    blob_id     {{bigint}} NOT NULL,
    size        {{bigint}} NOT NULL,                -- bytes of the prefix and the blob
    prefix      {{blob}} NOT NULL,                  -- header fields that we add in front of the blob
    mail_from   {{text}} NOT NULL,                  -- '' is the null reverse-path
    ret         {{text}} NOT NULL,                  -- '', 'FULL' or 'HDRS' (RFC 3461 4.3)
    envid       {{text}} NOT NULL,                  -- as given, xtext (RFC 3461 4.4)
    traits      {{bigint}} NOT NULL,                -- 1 SMTPUTF8, 2 8-bit body, 4 REQUIRETLS
    account_id  {{bigint}} NOT NULL,                -- who sent it; 0 is the system
    arrived     {{bigint}} NOT NULL,
    expires     {{bigint}} NOT NULL
);

CREATE TABLE queue_recipients (
    id            {{bigint}} PRIMARY KEY,
    message_id    {{bigint}} NOT NULL REFERENCES queue_messages (id),
    destination   {{text}} NOT NULL,                -- the domain, or an address literal in brackets
    address       {{text}} NOT NULL,
    notify        {{bigint}} NOT NULL,              -- bits: 1 never, 2 success, 4 failure, 8 delay; 0 is not given
    orcpt         {{text}} NOT NULL,                -- as given, type;xtext (RFC 3461 4.2)
    next_attempt  {{bigint}} NOT NULL,              -- 9223372036854775807 while held
    held          {{bigint}} NOT NULL,
    attempts      {{bigint}} NOT NULL,
    last_attempt  {{bigint}} NOT NULL,              -- 0: none yet
    last_host     {{text}} NOT NULL,
    last_error    {{text}} NOT NULL,                -- code, enhanced code and text of the last failure
    delay_told    {{bigint}} NOT NULL               -- 1 once the sender was told of the delay
);

CREATE INDEX queue_recipients_due ON queue_recipients (next_attempt, id);
CREATE INDEX queue_recipients_message ON queue_recipients (message_id);
CREATE INDEX queue_recipients_destination ON queue_recipients (destination, next_attempt, id);
