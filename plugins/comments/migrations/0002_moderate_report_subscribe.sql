-- 'approved', 'held' or 'spam'.
ALTER TABLE comments ADD COLUMN state TEXT NOT NULL DEFAULT 'approved';
-- 1 where lists show its place: when it is approved or deleted, or has replies that are shown.
ALTER TABLE comments ADD COLUMN shown BIGINT NOT NULL DEFAULT 1;
-- The name that the author had elsewhere; null for those who wrote here.
ALTER TABLE comments ADD COLUMN author_name TEXT;

-- When what a feed of the thread shows changed last.
ALTER TABLE threads ADD COLUMN activity_ms BIGINT NOT NULL DEFAULT 0;

-- Lists read what is shown only, so that what is hidden costs them nothing.
DROP INDEX comments_flat;
DROP INDEX comments_flat_best;
DROP INDEX comments_level;
DROP INDEX comments_level_best;
CREATE INDEX comments_flat ON comments (tenant, target, shown, id);
CREATE INDEX comments_flat_best ON comments (tenant, target, shown, standing, id);
CREATE INDEX comments_level ON comments (tenant, target, shown, parent, id);
CREATE INDEX comments_level_best ON comments (tenant, target, shown, parent, standing, id);
-- What awaits a moderator, and what an author has written.
CREATE INDEX comments_by_state ON comments (tenant, state, id);
CREATE INDEX comments_by_author ON comments (tenant, author, state, id);

CREATE TABLE reports (
    tenant TEXT NOT NULL,
    comment TEXT NOT NULL,
    reporter TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT,
    created_ms BIGINT NOT NULL,
    -- 'open', 'dismissed' or 'upheld'
    state TEXT NOT NULL DEFAULT 'open',
    resolved_ms BIGINT,
    resolved_by TEXT,
    PRIMARY KEY (tenant, comment, reporter),
    FOREIGN KEY (tenant, comment) REFERENCES comments (tenant, id)
);
CREATE INDEX reports_by_state ON reports (tenant, state, created_ms, comment, reporter);

-- Who wants to hear of a thread, or not to.
CREATE TABLE subscriptions (
    tenant TEXT NOT NULL,
    subscriber TEXT NOT NULL,
    target TEXT NOT NULL,
    -- 'watching' or 'muted'
    level TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, subscriber, target)
);
CREATE INDEX subscriptions_by_target ON subscriptions (tenant, target, level, subscriber);

-- How much a caller did in the current minute.
CREATE TABLE paces (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- 'comment' or 'reaction'
    deed TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    n_done BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, deed)
);
