-- What a generation is held against while it is watched, so that a host that starts again goes on judging. A
-- generation that has proved itself has no row.
CREATE TABLE generation_watches (
    plugin TEXT NOT NULL,
    number BIGINT NOT NULL,
    -- The generation that it took the place of, and what that one had done: a JSON object.
    against BIGINT NOT NULL,
    score TEXT NOT NULL,
    -- When it will have proved itself, in Unix milliseconds.
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (plugin, number)
);
