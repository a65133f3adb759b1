-- +goose Up
-- A user whose deletion goes on: nothing new is taken, and what arrives late is found by what
-- stands here. The row goes with the deletion's end, when no access token is valid any more.
CREATE TABLE erasures (
    user_id  uuid        PRIMARY KEY,
    -- jobs are the ids of the user's analyses, photos the sha256 of their photos.
    jobs     uuid[]      NOT NULL,
    photos   bytea[]     NOT NULL,
    began_at timestamptz NOT NULL
);

CREATE INDEX uploads_of_user ON uploads (user_id);
CREATE INDEX uploads_of_photo ON uploads (sha256);

-- +goose Down
DROP INDEX uploads_of_photo;
DROP INDEX uploads_of_user;
DROP TABLE erasures;
