-- Exports and erasures of data subjects.
CREATE TABLE subject_runs (
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    -- The SHA-256 of tenant and subject: it finds the run when the subject is asked for, and stays.
    person TEXT NOT NULL,
    -- Whom it is about; null once an erasure has ended.
    subject TEXT,
    -- 'export' or 'erasure'
    kind TEXT NOT NULL,
    -- 'running', 'done', or 'incomplete' when plugins failed or do not answer
    state TEXT NOT NULL,
    began_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    n_pages BIGINT NOT NULL DEFAULT 0,
    n_bytes BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
);
CREATE INDEX subject_runs_of_person ON subject_runs (person, kind, began_ms, id);
CREATE INDEX subject_runs_by_state ON subject_runs (state, began_ms, id);

-- What one plugin has to do with a run, and how far it is.
CREATE TABLE subject_parts (
    run TEXT NOT NULL,
    plugin TEXT NOT NULL,
    -- 'waiting', 'running', 'done', 'failed', or 'silent' when the plugin does not answer
    state TEXT NOT NULL,
    -- Why it failed.
    reason TEXT,
    -- Committed calls; the number of the next one.
    n_calls BIGINT NOT NULL DEFAULT 0,
    -- How often an export began again because the plugin no longer knew its cursor.
    n_restarts BIGINT NOT NULL DEFAULT 0,
    n_records BIGINT NOT NULL DEFAULT 0,
    -- Where an export goes on.
    next TEXT,
    -- What an erasure did, a JSON list by holding.
    erased TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (run, plugin),
    FOREIGN KEY (run) REFERENCES subject_runs (id) ON DELETE CASCADE
);

-- What an export found, until it expires or the subject is erased.
CREATE TABLE subject_pages (
    run TEXT NOT NULL,
    -- From 1, without gaps.
    number BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    holding TEXT NOT NULL,
    -- A JSON array.
    items TEXT NOT NULL,
    PRIMARY KEY (run, number),
    FOREIGN KEY (run) REFERENCES subject_runs (id) ON DELETE CASCADE
);
