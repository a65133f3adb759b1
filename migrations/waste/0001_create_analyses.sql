-- +goose Up
CREATE TABLE uploads (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL,
    sha256       bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    size         bigint      NOT NULL CHECK (size > 0),
    content_type text        NOT NULL,
    object_key   text        NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    -- No PUT that began before expires_at can still be running after upload_ends_at.
    upload_ends_at      timestamptz NOT NULL CHECK (upload_ends_at >= expires_at),
    -- The original may carry a place and a name in its metadata: it goes once the job has ended.
    original_deleted_at timestamptz
);

CREATE INDEX uploads_with_original ON uploads (upload_ends_at)
    WHERE original_deleted_at IS NULL OR original_deleted_at < upload_ends_at;

-- One row is one job: the truth about it, its outbox entry and its lease.
CREATE TABLE analyses (
    id              uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL,
    upload_id       uuid        NOT NULL UNIQUE REFERENCES uploads (id),
    idempotency_key text        NOT NULL,
    request_hash    bytea       NOT NULL,
    request_id      text        NOT NULL,
    locale          text        NOT NULL CHECK (locale IN ('ko', 'en')),
    lat             double precision CHECK (lat BETWEEN -90 AND 90),
    lng             double precision CHECK (lng BETWEEN -180 AND 180),
    status          text        NOT NULL CHECK (status IN (
        'awaiting_upload', 'queued', 'processing', 'succeeded', 'failed', 'canceled', 'expired')),
    progress        smallint    NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    stage           text        NOT NULL,
    -- next_task is the task that continues the job; dispatch makes its task id.
    next_task       text        NOT NULL DEFAULT 'waste:analyze',
    dispatch        integer     NOT NULL DEFAULT 0,
    -- attempt is the fencing token: each claim raises it, each write names it.
    attempt         integer     NOT NULL DEFAULT 0,
    -- version counts every change a client can see: ETag, and order of the writes to Redis.
    version         bigint      NOT NULL DEFAULT 1,
    -- tries counts the failures of the present stage, restarts those of the whole job.
    tries           integer     NOT NULL DEFAULT 0,
    restarts        integer     NOT NULL DEFAULT 0,
    worker          text,
    -- check_at is when the reconciler must look at an unfinished job; for a running one, its lease.
    check_at        timestamptz,
    photo_key       text,
    fingerprint     text,
    verdict         jsonb,
    verdict_at      timestamptz,
    -- verdict_cached tells that no vision model was called for this job.
    verdict_cached  boolean     NOT NULL DEFAULT false,
    advice          jsonb,
    advice_at       timestamptz,
    result          jsonb,
    error           jsonb,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    expires_at      timestamptz NOT NULL,
    UNIQUE (user_id, idempotency_key),
    CHECK ((lat IS NULL) = (lng IS NULL)),
    CHECK ((status = 'succeeded') = (result IS NOT NULL)),
    CHECK ((check_at IS NOT NULL) = (status IN ('awaiting_upload', 'queued', 'processing')))
);

CREATE INDEX analyses_unfinished ON analyses (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX analyses_of_user ON analyses (user_id, id DESC);
CREATE INDEX analyses_retention ON analyses (expires_at) WHERE status <> 'expired';

CREATE TABLE feedback (
    analysis_id uuid        PRIMARY KEY REFERENCES analyses (id) ON DELETE CASCADE,
    user_id     uuid        NOT NULL,
    class       text        NOT NULL,
    comment     text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

-- +goose Down
DROP TABLE feedback;
DROP TABLE analyses;
DROP TABLE uploads;
