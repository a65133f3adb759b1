-- +goose Up
CREATE TABLE points (
    id            uuid             PRIMARY KEY,
    source        text             NOT NULL,
    -- source_id is the source's own key, or a hash of what identifies the row where it has none.
    source_id     text             NOT NULL,
    name          text             NOT NULL,
    address       text             NOT NULL,
    lat           double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lng           double precision NOT NULL CHECK (lng BETWEEN -180 AND 180),
    -- place is ll_to_earth(lat, lng), written with them. An index or a generated column on that
    -- expression cannot be restored from a dump: earthdistance finds its own functions by
    -- search_path, which a restore empties.
    place         cube             NOT NULL,
    accepts       text[]           NOT NULL CHECK (cardinality(accepts) > 0),
    opening_hours text             NOT NULL DEFAULT '',
    search        text             NOT NULL GENERATED ALWAYS AS (lower(name || ' ' || address)) STORED,
    created_at    timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    UNIQUE (source, source_id)
);

CREATE INDEX points_place ON points USING gist (place);
CREATE INDEX points_search ON points USING gin (search gin_trgm_ops);

-- +goose Down
DROP TABLE points;
