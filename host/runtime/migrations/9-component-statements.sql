-- Which statements a component ran, so that a later version can be held against them: after a restart, and
-- whichever generation runs the component.
DROP TABLE generation_statements;

CREATE TABLE component_statements (
    plugin TEXT NOT NULL,
    digest TEXT NOT NULL,
    -- A JSON list of texts.
    texts TEXT NOT NULL,
    kept_ms BIGINT NOT NULL,
    PRIMARY KEY (plugin, digest)
);
