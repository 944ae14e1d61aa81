-- 100 000 tags and a million taggings for `cargo xtask bench`, in the tables of the plugin `tags`. Through
-- its API they would take an hour. Items have more of the tags with low numbers; times lie in the last
-- 400 days.
PRAGMA journal_mode = DELETE;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -400000;

BEGIN;

CREATE TEMP TABLE syllables (place INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO syllables VALUES
    (0, 'ba'), (1, 'be'), (2, 'bi'), (3, 'bo'), (4, 'bu'), (5, 'da'), (6, 'de'), (7, 'di'), (8, 'do'),
    (9, 'du'), (10, 'fa'), (11, 'fe'), (12, 'fi'), (13, 'fo'), (14, 'ga'), (15, 'ge'), (16, 'gi'),
    (17, 'go'), (18, 'ka'), (19, 'ke'), (20, 'ki'), (21, 'ko'), (22, 'ku'), (23, 'la'), (24, 'le'),
    (25, 'li'), (26, 'lo'), (27, 'lu'), (28, 'ma'), (29, 'me'), (30, 'mi'), (31, 'mo'), (32, 'na'),
    (33, 'ne'), (34, 'ni'), (35, 'no'), (36, 'pa'), (37, 'pe'), (38, 'ra'), (39, 're'), (40, 'ri'),
    (41, 'ro'), (42, 'sa'), (43, 'se'), (44, 'ta'), (45, 'te'), (46, 'ti');

CREATE TEMP TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
INSERT INTO words
SELECT n, a.text || b.text || c.text FROM numbers
JOIN syllables a ON a.place = n % 47
JOIN syllables b ON b.place = n / 47 % 47
JOIN syllables c ON c.place = n / 2209;

CREATE TEMP TABLE today (ms INTEGER NOT NULL, day INTEGER NOT NULL);
INSERT INTO today SELECT s * 1000, s / 86400 FROM (SELECT CAST(strftime('%s', 'now') AS INTEGER) AS s);

INSERT INTO tags (tenant, id, slug, name, folded, skeleton, created_by, created_ms, updated_ms)
SELECT 'default', id, text, text, text, text, 'bench', ms, ms FROM words, today;
INSERT INTO names (tenant, folded, tag, name) SELECT 'default', text, id, text FROM words;
INSERT INTO slugs (tenant, slug, tag) SELECT 'default', text, id FROM words;

WITH RECURSIVE pieces (tag, text) AS (
    SELECT id, ' ' || text FROM words
    UNION ALL SELECT tag, substr(text, 2) FROM pieces WHERE length(text) > 3
)
INSERT OR IGNORE INTO grams (tenant, gram, tag)
SELECT 'default', substr(text, 1, 3), tag FROM pieces ORDER BY 2, 3;

WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 255000)
INSERT INTO items (tenant, id, target, kind) SELECT 'default', n, 'post:' || n, 'post' FROM numbers;

WITH places (place) AS (VALUES (0), (1), (2), (3)),
drawn (item, number) AS (
    SELECT id, (id * 48271 + place * 65537 * 31) % 100000 FROM items, places WHERE tenant = 'default'
)
INSERT OR IGNORE INTO taggings (tenant, item, tag, tagged_by, tagged_ms)
SELECT 'default', item, 1 + number * number / 100000, 'user' || item % 1000,
    ms - (item * 7919 + number) % 400 * 86400000
FROM drawn, today ORDER BY item;

UPDATE items SET n_tags =
    (SELECT count(*) FROM taggings t WHERE t.tenant = items.tenant AND t.item = items.id);
UPDATE tags SET n_items =
    (SELECT count(*) FROM taggings t WHERE t.tenant = tags.tenant AND t.tag = tags.id);

INSERT INTO days (tenant, day, tag, n)
SELECT 'default', tagged_ms / 86400000 AS day, tag, count(*) FROM taggings, today t
WHERE tenant = 'default' AND tagged_ms / 86400000 > t.day - 365 GROUP BY 2, 3;

WITH spans (span) AS (VALUES (1), (7), (30), (365))
INSERT INTO trends (tenant, span, tag, n)
SELECT 'default', span, tag, sum(n) FROM spans, days d, today t
WHERE d.tenant = 'default' AND d.day > t.day - span GROUP BY 2, 3;
INSERT INTO horizons (tenant, span, day, tag)
SELECT 'default', span, day - span, 9223372036854775807
FROM today, (SELECT 1 AS span UNION SELECT 7 UNION SELECT 30 UNION SELECT 365);

INSERT INTO sequences (tenant, kind, last) VALUES ('default', 'tag', 100000), ('default', 'item', 255000);

COMMIT;

PRAGMA journal_mode = WAL;
