-- When no edge accepts an access token of the session any more, as the settings were when the last one was given: a
-- revocation lasts as long, also when tokens live shorter by then. Milliseconds since 1970.
ALTER TABLE sessions ADD COLUMN outlived_at BIGINT NOT NULL DEFAULT 0;
