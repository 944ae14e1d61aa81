-- One row for each target that was ever commented on or configured.
CREATE TABLE threads (
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    locked BIGINT NOT NULL DEFAULT 0,
    -- 'everyone', 'moderators' or 'nobody'
    posting TEXT NOT NULL DEFAULT 'everyone',
    pinned TEXT,
    -- Comments that are not deleted.
    n_comments BIGINT NOT NULL DEFAULT 0,
    -- Grows when the settings change, not with comments; 0 until then.
    version BIGINT NOT NULL DEFAULT 0,
    updated_ms BIGINT,
    PRIMARY KEY (tenant, target)
);

-- A comment keeps its row when it is deleted, so that the replies below it keep their place.
CREATE TABLE comments (
    tenant TEXT NOT NULL,
    -- UUID version 7: the order of ids is the order of creation.
    id TEXT NOT NULL,
    target TEXT NOT NULL,
    -- The comment it stands below; null at the top.
    parent TEXT,
    -- The comment it answers: its parent, or one that was too deep to be a parent.
    reply_to TEXT,
    -- The top of its tree; itself at the top.
    root TEXT NOT NULL,
    -- Its place among all comments below its root, from 1 in the order of creation; 0 for the root.
    ordinal BIGINT NOT NULL,
    -- 1 at the top.
    depth BIGINT NOT NULL,
    -- The next three are null once it is deleted.
    author TEXT,
    body TEXT,
    html TEXT,
    -- The version of the renderer that made the html.
    renderer BIGINT NOT NULL,
    deleted BIGINT NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL,
    edited_ms BIGINT,
    edited_by TEXT,
    deleted_ms BIGINT,
    n_edits BIGINT NOT NULL DEFAULT 0,
    -- Direct replies, deleted ones included.
    n_replies BIGINT NOT NULL DEFAULT 0,
    -- All comments below it; kept for roots only.
    n_descendants BIGINT NOT NULL DEFAULT 0,
    n_up BIGINT NOT NULL DEFAULT 0,
    n_down BIGINT NOT NULL DEFAULT 0,
    -- What `best` sorts by, made of the votes.
    standing BIGINT NOT NULL DEFAULT 0,
    -- A JSON object: how many reactions of each kind.
    reactions TEXT NOT NULL DEFAULT '{}',
    -- Grows with every visible change; the entity tag.
    version BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, id)
);

-- One index for each order of a flat list, of a level of the tree, and of a root's first replies.
CREATE INDEX comments_flat ON comments (tenant, target, id);
CREATE INDEX comments_flat_best ON comments (tenant, target, standing, id);
CREATE INDEX comments_level ON comments (tenant, target, parent, id);
CREATE INDEX comments_level_best ON comments (tenant, target, parent, standing, id);
CREATE INDEX comments_below_root ON comments (tenant, root, ordinal);

-- The texts a comment had before its edits.
CREATE TABLE revisions (
    tenant TEXT NOT NULL,
    comment TEXT NOT NULL,
    -- From 1, the text it was created with.
    number BIGINT NOT NULL,
    body TEXT NOT NULL,
    -- Who wrote this text and when.
    writer TEXT NOT NULL,
    written_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, comment, number),
    FOREIGN KEY (tenant, comment) REFERENCES comments (tenant, id)
);

CREATE TABLE reactions (
    tenant TEXT NOT NULL,
    comment TEXT NOT NULL,
    reactor TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, comment, reactor, kind),
    FOREIGN KEY (tenant, comment) REFERENCES comments (tenant, id)
);

CREATE TABLE votes (
    tenant TEXT NOT NULL,
    comment TEXT NOT NULL,
    voter TEXT NOT NULL,
    value BIGINT NOT NULL CHECK (value IN (-1, 1)),
    voted_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, comment, voter),
    FOREIGN KEY (tenant, comment) REFERENCES comments (tenant, id)
);
