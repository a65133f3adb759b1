-- +goose Up
-- What items are found by: the keystrokes of a name (or of its last words), or of the first
-- consonants of its syllables. One index serves typos (%) and unfinished words (LIKE).
CREATE TABLE item_terms (
    version  text    NOT NULL,
    text     text    NOT NULL CHECK (text ~ '^[a-z0-9]+$'),
    initials boolean NOT NULL,
    item_id  text    NOT NULL,
    -- whole tells a name from its last words.
    whole    boolean NOT NULL,
    PRIMARY KEY (version, item_id, initials, text),
    FOREIGN KEY (version, item_id) REFERENCES items (version, id) ON DELETE CASCADE
);

CREATE INDEX item_terms_text ON item_terms USING gin (text gin_trgm_ops);

-- item_terms takes the place of items.search. Binaries of before still write it; a later migration
-- drops it with its index.
ALTER TABLE items ALTER COLUMN search DROP NOT NULL;

-- A job that was asked for by POST /advice has a flight: the cache key of its answer. All who ask
-- for the same answer while it is being written share the job.
ALTER TABLE advice_jobs
    ADD COLUMN flight        text,
    ADD COLUMN region        text,
    ADD COLUMN locale        text,
    ADD COLUMN dispatch      integer NOT NULL DEFAULT 0,
    ADD COLUMN dispatched_at timestamptz,
    -- error is the code of the problem that the job ended with.
    ADD COLUMN error         text,
    ADD CHECK (flight IS NULL OR (item_id IS NOT NULL AND region IS NOT NULL AND locale IS NOT NULL
        AND dispatched_at IS NOT NULL)),
    ADD CHECK (advice IS NULL OR error IS NULL);

CREATE UNIQUE INDEX advice_jobs_flight ON advice_jobs (flight)
    WHERE flight IS NOT NULL AND advice IS NULL AND error IS NULL;

-- +goose Down
DELETE FROM advice_jobs WHERE flight IS NOT NULL;
DROP INDEX advice_jobs_flight;
ALTER TABLE advice_jobs
    DROP COLUMN flight, DROP COLUMN region, DROP COLUMN locale, DROP COLUMN dispatch,
    DROP COLUMN dispatched_at, DROP COLUMN error;
-- Rules that were loaded without items.search are loaded again by the binary that needs it.
DELETE FROM rule_versions;
ALTER TABLE items ALTER COLUMN search SET NOT NULL;
DROP TABLE item_terms;
