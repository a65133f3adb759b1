-- +goose Up
-- The journal of deletions. Whoever knows the id, which is random, may ask how far it is.
CREATE TABLE deletions (
    id           uuid        PRIMARY KEY,
    -- user_id is null once nothing of the user is left: then the row tells only that somebody was
    -- erased, and what was counted. Until then the user is refused.
    user_id      uuid        UNIQUE,
    locale       text        NOT NULL CHECK (locale IN ('ko', 'en')),
    progress     smallint    NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    -- passes counts how often everything was erased; the next one is due at next_pass_at.
    passes       integer     NOT NULL DEFAULT 0,
    next_pass_at timestamptz,
    -- faults counts the passes that broke off, since one that did not.
    faults       integer     NOT NULL DEFAULT 0,
    -- erased and remaining are counts by place; remaining is the proof, counted at the end.
    erased       jsonb       NOT NULL DEFAULT '{}',
    remaining    jsonb,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    erased_at    timestamptz,
    finished_at  timestamptz,
    CHECK ((finished_at IS NULL) = (user_id IS NOT NULL)),
    CHECK ((finished_at IS NULL) = (next_pass_at IS NOT NULL)),
    CHECK (finished_at IS NULL OR remaining IS NOT NULL)
);

CREATE INDEX deletions_due ON deletions (next_pass_at) WHERE next_pass_at IS NOT NULL;
CREATE INDEX deletions_finished ON deletions (finished_at) WHERE finished_at IS NOT NULL;

-- +goose Down
DROP TABLE deletions;
