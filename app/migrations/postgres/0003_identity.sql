-- The database's own name, made once at random. The folder of attachments repeats it, so that no other database's
-- start takes the files for forgotten and removes them.
CREATE TABLE database_id (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    id       TEXT    NOT NULL
);
