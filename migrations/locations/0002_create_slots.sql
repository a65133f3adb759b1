-- +goose Up
-- spans are the hours of a week in which a point is open, four numbers each: first day, last day
-- (Monday is 0), opening and closing minute of the day. None says that the hours are not known.
ALTER TABLE points ADD COLUMN spans smallint[] NOT NULL DEFAULT '{}'
    CHECK (cardinality(spans) % 4 = 0);

-- A slot is one class that a point takes in one span of its hours, as a box in six dimensions: the
-- place (x, y, z in meters), the class, the day, the minute. So one index gives the nearest points of
-- any class at any hour in their order, and passes over all others: a rare class far away costs no more
-- than a common one nearby.
CREATE TABLE slots (
    point_id uuid NOT NULL REFERENCES points ON DELETE CASCADE,
    box      cube NOT NULL
);

-- slot_class is where a class begins in the fourth dimension; it ends one further.
-- +goose StatementBegin
CREATE FUNCTION slot_class(class text) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT array_position(ARRAY['paper', 'paper_pack', 'clear_pet', 'plastic', 'vinyl', 'eps', 'glass',
        'metal', 'clothing', 'battery', 'lamp', 'appliance', 'general', 'non_combustible', 'food',
        'construction', 'bulky'], class)::double precision
$$;
-- +goose StatementEnd

-- Hours that are not known are on the day before Monday, where only those look who ask for any hour.
-- +goose StatementBegin
CREATE FUNCTION write_slots() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM slots USING changed WHERE slots.point_id = changed.id;
    END IF;
    INSERT INTO slots (point_id, box)
    SELECT c.id, cube(cube(cube(c.place, slot_class(class), slot_class(class) + 1),
        spans[i], spans[i + 1] + 1), spans[i + 2], spans[i + 3])
    FROM (SELECT id, place, accepts,
            CASE WHEN spans = '{}' THEN '{-1,-1,0,1440}' ELSE spans END AS spans
        FROM changed) AS c,
        unnest(c.accepts) AS class, generate_series(1, cardinality(c.spans), 4) AS i;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER points_inserted AFTER INSERT ON points
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION write_slots();
CREATE TRIGGER points_updated AFTER UPDATE ON points
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION write_slots();

-- The points that are there get their slots. Hours are read by the program when their file is imported
-- again; but nobody imports the seed again, and its only words are these.
UPDATE points SET spans = CASE opening_hours
    WHEN '평일 09:00-18:00' THEN '{0,4,540,1080}'::smallint[] ELSE spans END;

CREATE INDEX slots_box ON slots USING gist (box);
CREATE INDEX slots_point ON slots (point_id);

-- +goose Down
DROP TRIGGER points_updated ON points;
DROP TRIGGER points_inserted ON points;
DROP FUNCTION write_slots();
DROP TABLE slots;
DROP FUNCTION slot_class(text);
ALTER TABLE points DROP COLUMN spans;
