-- What edges must not accept any more, in the order in which it was decided. Moments are milliseconds since 1970.
CREATE TABLE revocations (
    sequence BIGINT NOT NULL PRIMARY KEY,
    -- Random, so that a sequence of a database that was restored from a backup is not taken for another's.
    mark     TEXT   NOT NULL,
    kind     TEXT   NOT NULL CHECK (kind IN ('jti', 'session', 'subject-before', 'kid')),
    value    TEXT   NOT NULL,
    -- Of subject-before: tokens issued before this moment.
    before   BIGINT,
    until    BIGINT NOT NULL,
    -- For the measure of how long edges take to hear of it; nothing is decided by it.
    written  BIGINT NOT NULL
);
CREATE INDEX revocations_by_until ON revocations (until);

-- The last sequence that was given. Who takes the next one holds this row until it commits, so that a lower sequence
-- never appears after a higher one.
CREATE TABLE revocation_counter (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    sequence BIGINT  NOT NULL,
    mark     TEXT    NOT NULL
);
INSERT INTO revocation_counter (only_row, sequence, mark) VALUES (1, 0, '');
