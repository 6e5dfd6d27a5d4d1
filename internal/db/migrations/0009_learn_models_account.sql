-- The model of an account is found without looking at those of others. In learn_messages the column shared is the number of
-- account 0's model when that counts the message too, otherwise 0.

-- +goose Up
CREATE INDEX learn_models_account ON learn_models (account);
