-- What became of each component that was to serve a plugin, in the order of their numbers. A row is
-- never changed but for its state.
CREATE TABLE generations (
    plugin TEXT NOT NULL,
    -- From 1, without gaps.
    number BIGINT NOT NULL,
    -- The SHA-256 of the component.
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    -- 'install', 'upgrade', 'rollback', 'configuration'
    kind TEXT NOT NULL,
    -- The rights that the component asks for, a JSON list.
    rights TEXT NOT NULL,
    -- The operator's settings, grants and limits that it was prepared with, a JSON object.
    options TEXT NOT NULL,
    -- 'preparing', 'waiting', 'active', 'superseded', 'rolled-back', 'refused'
    state TEXT NOT NULL,
    -- Why it was refused or rolled back, or waits; else empty.
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- When it began and ended to take requests.
    served_ms BIGINT,
    ended_ms BIGINT,
    -- When the old shape of the data was given up for it: none before can serve after that.
    contracted_ms BIGINT,
    PRIMARY KEY (plugin, number)
);
CREATE INDEX generations_by_state ON generations (state, plugin, number);

-- Which generation of a plugin serves, and where its component comes from.
CREATE TABLE plugins (
    name TEXT NOT NULL PRIMARY KEY,
    -- The generation that serves, or that served last.
    generation BIGINT NOT NULL,
    -- 'enabled', 'disabled', 'removed'
    state TEXT NOT NULL,
    -- The file in the plugin folder that it follows, and the digest of what was read there last; both
    -- empty when it was installed in another way.
    file TEXT NOT NULL,
    file_digest TEXT NOT NULL
);
