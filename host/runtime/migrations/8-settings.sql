-- The settings that a generation was prepared with, and what was set while the host ran: a JSON object,
-- encrypted by a key that is not in this database, for this plugin and number. `options` has the rest.
ALTER TABLE generations ADD COLUMN sealed TEXT NOT NULL DEFAULT '';
-- What it changed in the operator's options, without secrets: a JSON list of sentences.
ALTER TABLE generations ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';
