-- What was decided about plugins and their rights, by whom. Rows are only added; each is sealed by a hash
-- over itself and the one before.
CREATE TABLE audit (
    -- From 1, without gaps.
    number BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    -- The plugin that it is about; else empty.
    plugin TEXT NOT NULL,
    -- Such as 'plugin.upgrade', 'right.revoke', 'right.denied'.
    action TEXT NOT NULL,
    -- A JSON object.
    detail TEXT NOT NULL,
    -- The request in which it came up; else empty.
    request TEXT NOT NULL,
    -- SHA-256 in hexadecimal digits.
    hash TEXT NOT NULL
);
CREATE INDEX audit_of_request ON audit (request, number);

-- Rights that were taken from plugins while they serve.
CREATE TABLE revocations (
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    revoked_by TEXT NOT NULL,
    revoked_ms BIGINT NOT NULL,
    PRIMARY KEY (plugin, name)
);
