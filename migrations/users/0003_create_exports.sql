-- +goose Up
-- A user's newest export. Its zip is in S3 until expires_at.
CREATE TABLE exports (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL UNIQUE,
    locale       text        NOT NULL CHECK (locale IN ('ko', 'en')),
    status       text        NOT NULL CHECK (status IN ('queued', 'processing', 'succeeded', 'failed', 'expired')),
    progress     smallint    NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    -- attempt fences the writes of a worker that another one has followed.
    attempt      integer     NOT NULL DEFAULT 0,
    size         bigint,
    photos       integer,
    -- check_at is when an unfinished export is tried again, and when a finished one expires.
    check_at     timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    expires_at   timestamptz NOT NULL,
    CHECK ((check_at IS NULL) = (status IN ('failed', 'expired')))
);

CREATE INDEX exports_due ON exports (check_at) WHERE check_at IS NOT NULL;

-- +goose Down
DROP TABLE exports;
