CREATE TABLE notes (
    tenant TEXT NOT NULL,
    -- UUID version 7: the order of ids is the order of creation.
    id TEXT NOT NULL,
    author TEXT NOT NULL,
    body TEXT NOT NULL,
    pinned BIGINT NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- What a person wrote is found without reading all notes.
CREATE INDEX notes_by_author ON notes (tenant, author, id);
