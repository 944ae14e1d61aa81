-- What a person made, for those who ask for a copy of it or want it erased. Taggings have theirs.
CREATE INDEX tags_by_creator ON tags (tenant, created_by, id);
