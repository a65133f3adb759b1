-- +goose Up
-- A version is the hash of the rule files in one binary. Each binary loads and reads its own, so
-- that two versions can run side by side during a rollout.
CREATE TABLE rule_versions (
    version   text        PRIMARY KEY,
    loaded_at timestamptz NOT NULL,
    used_at   timestamptz NOT NULL
);

CREATE TABLE items (
    version    text     NOT NULL REFERENCES rule_versions (version) ON DELETE CASCADE,
    id         text     NOT NULL,
    class      text     NOT NULL,
    -- position is the order of the guideline: by class, then as written in the file.
    position   integer  NOT NULL,
    is_default boolean  NOT NULL,
    -- search is the lower-case text that a query is matched with: names and synonyms.
    search     text     NOT NULL,
    -- digest changes with the item's own text; caches of advice carry it.
    digest     text     NOT NULL,
    body       jsonb    NOT NULL,
    PRIMARY KEY (version, id),
    UNIQUE (version, position)
);

CREATE UNIQUE INDEX items_default ON items (version, class) WHERE is_default;
CREATE INDEX items_search ON items USING gin (search gin_trgm_ops);

-- The words for an item, among them those that a vision model uses, as snake_case.
CREATE TABLE item_labels (
    version text NOT NULL,
    label   text NOT NULL,
    item_id text NOT NULL,
    class   text NOT NULL,
    PRIMARY KEY (version, label, class),
    FOREIGN KEY (version, item_id) REFERENCES items (version, id) ON DELETE CASCADE
);

CREATE INDEX item_labels_item ON item_labels (version, item_id);
CREATE INDEX item_labels_label ON item_labels USING gin (label gin_trgm_ops);

-- One row is one job's request for advice: its lease, and the answer once it is paid for.
CREATE TABLE advice_jobs (
    id           uuid        PRIMARY KEY,
    request_hash bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    -- attempt is the fencing token: each claim raises it, each write names it.
    attempt      integer     NOT NULL DEFAULT 1,
    worker       text        NOT NULL,
    lease_until  timestamptz,
    item_id      text,
    advice       jsonb,
    advised_at   timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CHECK ((advice IS NULL) = (advised_at IS NULL)),
    CHECK (advice IS NULL OR lease_until IS NULL)
);

CREATE INDEX advice_jobs_retention ON advice_jobs (updated_at);

-- +goose Down
DROP TABLE advice_jobs;
DROP TABLE item_labels;
DROP TABLE items;
DROP TABLE rule_versions;
