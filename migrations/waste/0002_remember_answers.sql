-- +goose Up
-- same_as is the sha256 of the photo whose answer a near-same one got; null where it got its own.
ALTER TABLE analyses ADD COLUMN same_as bytea CHECK (octet_length(same_as) = 32);

-- What a user had answered, for statistics: it outlives the analyses. One row is one photo, however
-- often it was sent. mark names the photo among the user's own only: nobody finds with it who else
-- sent the same.
CREATE TABLE answers (
    user_id     uuid        NOT NULL,
    mark        bytea       NOT NULL CHECK (octet_length(mark) = 32),
    class       text        NOT NULL,
    answered_at timestamptz NOT NULL,
    -- repeats counts the answers to the same photo, or a near-same one, after the first.
    repeats     integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, mark)
);

-- +goose StatementBegin
CREATE FUNCTION answer_mark(user_id uuid, photo bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN sha256(uuid_send(user_id) || photo);
-- +goose StatementEnd

-- A trigger, because three statements end a job with an answer, in binaries of two versions while
-- a rollout lasts: whichever it is, the answer is counted with it, once.
-- +goose StatementBegin
CREATE FUNCTION note_answer() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO answers AS a (user_id, mark, class, answered_at)
    SELECT NEW.user_id, answer_mark(NEW.user_id, COALESCE(NEW.same_as, u.sha256)),
        COALESCE(NULLIF(NEW.result #>> '{advice,class}', ''), NEW.result #>> '{vision,class}',
            'general'),
        COALESCE(NEW.finished_at, now())
    FROM uploads u WHERE u.id = NEW.upload_id
    ON CONFLICT (user_id, mark) DO UPDATE SET repeats = a.repeats + 1;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER note_answer_of_new AFTER INSERT ON analyses
    FOR EACH ROW WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION note_answer();
CREATE TRIGGER note_answer AFTER UPDATE OF status ON analyses
    FOR EACH ROW WHEN (NEW.status = 'succeeded' AND OLD.status <> 'succeeded')
    EXECUTE FUNCTION note_answer();

INSERT INTO answers (user_id, mark, class, answered_at, repeats)
SELECT a.user_id, answer_mark(a.user_id, u.sha256),
    (array_agg(COALESCE(NULLIF(a.result #>> '{advice,class}', ''), a.result #>> '{vision,class}',
        'general') ORDER BY a.id))[1],
    min(COALESCE(a.finished_at, a.updated_at)), count(*) - 1
FROM analyses a JOIN uploads u ON u.id = a.upload_id
WHERE a.status = 'succeeded'
GROUP BY a.user_id, u.sha256;

-- +goose Down
DROP TABLE answers;
DROP TRIGGER note_answer ON analyses;
DROP TRIGGER note_answer_of_new ON analyses;
DROP FUNCTION note_answer();
DROP FUNCTION answer_mark(uuid, bytea);
ALTER TABLE analyses DROP COLUMN same_as;
