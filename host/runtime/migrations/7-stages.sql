-- Which requests a generation gets, or got, while it is rolled out beside the one that serves: a JSON
-- object. A generation in the state 'candidate' is being rolled out; a plugin has at most one.
ALTER TABLE generations ADD COLUMN stage TEXT;
