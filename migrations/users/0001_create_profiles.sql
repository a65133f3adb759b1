-- +goose Up
CREATE TABLE profiles (
    user_id      uuid        PRIMARY KEY,
    display_name text        NOT NULL DEFAULT '' CHECK (char_length(display_name) <= 100),
    locale       text        NOT NULL DEFAULT 'ko' CHECK (locale IN ('ko', 'en')),
    -- home_region is the district whose rules apply, e.g. '서울특별시 마포구'; null if unknown.
    home_region  text        CHECK (char_length(home_region) BETWEEN 1 AND 100),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

-- +goose Down
DROP TABLE profiles;
