-- What a session's owner sees of it; the keys that sign tokens. Moments are milliseconds since 1970.
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0;

-- A session that is refreshed for years keeps only the links that can still be shown.
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- next (neither moment), active (active_at), retiring (retired_at). The private half is sealed with a secret that the
-- database never sees.
CREATE TABLE signing_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT,
    retired_at BIGINT
);

-- Counts the changes of signing_keys. Whoever changes them counts up from the number that he saw, so that of several
-- instances one wins; and all the others see by the number alone that something has changed.
CREATE TABLE signing_key_turn (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    turn     BIGINT  NOT NULL
);
INSERT INTO signing_key_turn (only_row, turn) VALUES (1, 0);
