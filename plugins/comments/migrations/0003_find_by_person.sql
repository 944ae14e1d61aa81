-- What a person left in each table, for those who ask for a copy of it or want it erased.
CREATE INDEX comments_by_editor ON comments (tenant, edited_by, id);
CREATE INDEX revisions_by_writer ON revisions (tenant, writer, comment, number);
CREATE INDEX reactions_by_reactor ON reactions (tenant, reactor, comment, kind);
CREATE INDEX votes_by_voter ON votes (tenant, voter, comment);
CREATE INDEX reports_by_reporter ON reports (tenant, reporter, comment);
CREATE INDEX reports_by_resolver ON reports (tenant, resolved_by, comment, reporter);
