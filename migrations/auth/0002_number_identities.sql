-- +goose Up
-- A person names an identity by its id to take it away; who vouches and under which name is not theirs to see.
ALTER TABLE identities ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX identities_by_id ON identities (id);

-- +goose Down
DROP INDEX identities_by_id;
ALTER TABLE identities DROP COLUMN id;
