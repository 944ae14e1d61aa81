-- Which statements a generation ran, so that a later version can be held against them after a restart.
CREATE TABLE generation_statements (
    plugin TEXT NOT NULL,
    number BIGINT NOT NULL,
    -- A JSON list of texts.
    texts TEXT NOT NULL,
    PRIMARY KEY (plugin, number)
);
