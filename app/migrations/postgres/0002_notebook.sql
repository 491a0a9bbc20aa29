-- Notes, who may see them and what hangs on them. Moments are milliseconds since 1970.
CREATE TABLE notes (
    -- Byte order, as in SQLite, so that pages of both go the same way.
    id         TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    owner_id   TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title      TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    -- Each tag between two line ends, so that one pattern finds a whole tag.
    tags       TEXT    NOT NULL,
    pinned     BOOLEAN NOT NULL,
    -- Title, body and tags in the lower case of the application: databases disagree about it outside ASCII.
    haystack   TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    -- Counts the changes of the content: a writer names the one that he saw.
    version    BIGINT  NOT NULL,
    -- Counts the changes of members and attachments.
    detail     BIGINT  NOT NULL
);

CREATE INDEX notes_by_owner ON notes (owner_id);

-- Who may see a note, its owner too. Whoever adds or removes rows here or in attachments changes the note's row
-- first and so holds its lock: limits and permissions are decided one at a time.
CREATE TABLE note_members (
    note_id TEXT COLLATE "C" NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    PRIMARY KEY (note_id, user_id)
);
CREATE INDEX note_members_by_user ON note_members (user_id, note_id, role);

-- The bytes are in a file that is named by the digest; the file goes when the last row with its digest is gone.
CREATE TABLE attachments (
    id           TEXT   NOT NULL PRIMARY KEY,
    note_id      TEXT   COLLATE "C" NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    size_bytes   BIGINT NOT NULL,
    content_type TEXT   NOT NULL,
    digest       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE INDEX attachments_by_note ON attachments (note_id);
CREATE INDEX attachments_by_digest ON attachments (digest);

CREATE INDEX users_by_age ON users (created_at, id);
