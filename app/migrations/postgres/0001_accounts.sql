-- Accounts, sign-in sessions and the refresh tokens of each session. Moments are milliseconds since 1970.
CREATE TABLE users (
    id              TEXT    NOT NULL PRIMARY KEY,
    username        TEXT    NOT NULL,
    username_folded TEXT    NOT NULL UNIQUE,
    password_hash   TEXT    NOT NULL,
    role            TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    active          BOOLEAN NOT NULL,
    created_at      BIGINT  NOT NULL,
    last_login      BIGINT,
    token_epoch     BIGINT  NOT NULL DEFAULT 0
);

-- One sign-in: the family of all refresh tokens that descend from it.
CREATE TABLE sessions (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- A refresh token is used once; its row then names its successor, so that a repeated use gets the same one.
CREATE TABLE refresh_tokens (
    jti        TEXT   NOT NULL PRIMARY KEY,
    session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    successor  TEXT
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
