-- What a generation said of itself: a JSON object, without the contents of files, SQL and OpenAPI. Null for
-- those that were written down before it was kept.
ALTER TABLE generations ADD COLUMN description TEXT;
-- The highest number of its migrations, 0 when it has none.
ALTER TABLE generations ADD COLUMN schema_version BIGINT;
