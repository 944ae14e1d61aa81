-- The last number that was given out, for each kind of thing that is numbered.
CREATE TABLE sequences (
    tenant TEXT NOT NULL,
    -- 'tag' or 'item'
    kind TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind)
);

-- Tags and items have numbers, because taggings are many: two numbers make one.
CREATE TABLE tags (
    tenant TEXT NOT NULL,
    id BIGINT NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The name as it is compared: two names with the same one are the same.
    folded TEXT NOT NULL,
    -- The name as it looks: two names with the same one may be taken for each other.
    skeleton TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    parent BIGINT,
    -- 1 at the top.
    depth BIGINT NOT NULL DEFAULT 1,
    -- The older tag that it looks like; null when there is none, or when somebody saw to it.
    looks_like BIGINT,
    n_items BIGINT NOT NULL DEFAULT 0,
    created_by TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX tags_by_name ON tags (tenant, folded, id);
CREATE INDEX tags_by_items ON tags (tenant, n_items, id, folded);
CREATE INDEX tags_by_parent ON tags (tenant, parent, folded, id);
CREATE INDEX tags_by_skeleton ON tags (tenant, skeleton, id);
CREATE INDEX tags_by_likeness ON tags (tenant, looks_like, folded, id);

-- Every name that leads to a tag: its own and its synonyms.
CREATE TABLE names (
    tenant TEXT NOT NULL,
    folded TEXT NOT NULL,
    tag BIGINT NOT NULL,
    name TEXT NOT NULL,
    synonym BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, folded)
);

CREATE INDEX names_of_tag ON names (tenant, tag, folded);

-- Every slug that leads to a tag: its own, those it had, those of tags that were merged into it.
CREATE TABLE slugs (
    tenant TEXT NOT NULL,
    slug TEXT NOT NULL,
    tag BIGINT NOT NULL,
    PRIMARY KEY (tenant, slug)
);

CREATE INDEX slugs_of_tag ON slugs (tenant, tag);

-- The three-letter pieces of a tag's names, to find names by what is typed wrongly.
CREATE TABLE grams (
    tenant TEXT NOT NULL,
    gram TEXT NOT NULL,
    tag BIGINT NOT NULL,
    PRIMARY KEY (tenant, gram, tag)
);

-- Whatever was ever tagged. An item keeps its row, and its place in lists, when its last tag goes.
CREATE TABLE items (
    tenant TEXT NOT NULL,
    id BIGINT NOT NULL,
    -- 'type:id'
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    n_tags BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX items_by_target ON items (tenant, target);

CREATE TABLE taggings (
    tenant TEXT NOT NULL,
    item BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    tagged_by TEXT NOT NULL,
    tagged_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, item, tag)
);

-- Without the time: an index that covers more would be taken for lists of one item, too, whole.
CREATE INDEX taggings_of_tag ON taggings (tenant, tag, item);
CREATE INDEX taggings_of_subject ON taggings (tenant, tagged_by, item, tag);

-- How many of a tag's taggings were made on a day, in days since 1970 (UTC).
CREATE TABLE days (
    tenant TEXT NOT NULL,
    day BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (tenant, day, tag)
);

CREATE INDEX days_of_tag ON days (tenant, tag, day, n);

-- How many of a tag's taggings are in each sliding window: the sum of the days behind its horizon.
CREATE TABLE trends (
    tenant TEXT NOT NULL,
    -- The window's length in days.
    span BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (tenant, span, tag)
);

CREATE INDEX trends_by_n ON trends (tenant, span, n, tag);
CREATE INDEX trends_of_tag ON trends (tenant, tag);

-- Where a window begins: rows of `days` up to this day and tag are not counted in it any more.
CREATE TABLE horizons (
    tenant TEXT NOT NULL,
    span BIGINT NOT NULL,
    day BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    PRIMARY KEY (tenant, span)
);

CREATE TABLE tag_groups (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    -- An item may have one of its tags at most.
    exclusive BIGINT NOT NULL,
    -- A JSON list: the types of items that must have one of its tags at least.
    required_for TEXT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE group_members (
    tenant TEXT NOT NULL,
    group_id TEXT NOT NULL,
    tag BIGINT NOT NULL,
    PRIMARY KEY (tenant, group_id, tag)
);

CREATE INDEX group_members_of_tag ON group_members (tenant, tag, group_id);
