-- +goose Up
-- steps is what a job went through, oldest first: {"attempt", "stage", "worker", "started_at",
-- "ended_at", "error"}; the last one is open while the job is unfinished. A wait for a worker is the
-- stage queue. try_error is why the last try of a stage failed: {"code", "title", "detail"}.
ALTER TABLE analyses
    ADD COLUMN steps jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN try_error jsonb;

-- A trigger, because a dozen statements move a job on, in binaries of two versions while a rollout
-- lasts. It writes into the row that is written anyway, so that a step costs no statement of its own.
-- +goose StatementBegin
CREATE FUNCTION note_step() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    kept CONSTANT integer := 100;
    n integer;
    why jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        n := jsonb_array_length(NEW.steps) - 1;
        IF n >= 0 AND NOT (NEW.steps -> n) ? 'ended_at' THEN
            IF NEW.try_error IS DISTINCT FROM OLD.try_error THEN
                why := NEW.try_error;
            ELSIF NEW.status = 'failed' THEN
                why := jsonb_build_object('code', NEW.error -> 'code', 'title', NEW.error -> 'detail');
            END IF;
            NEW.steps := jsonb_set(NEW.steps, ARRAY[n::text], (NEW.steps -> n) ||
                jsonb_strip_nulls(jsonb_build_object('ended_at', now(), 'error', why)));
        END IF;
    END IF;
    IF NEW.check_at IS NOT NULL THEN
        NEW.steps := NEW.steps || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'attempt', NEW.restarts + 1,
            'stage', CASE NEW.status WHEN 'queued' THEN 'queue' ELSE NEW.stage END,
            'worker', NEW.worker, 'started_at', now())));
        IF jsonb_array_length(NEW.steps) > kept THEN
            NEW.steps := NEW.steps - 0;
        END IF;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER note_first_step BEFORE INSERT ON analyses
    FOR EACH ROW EXECUTE FUNCTION note_step();
CREATE TRIGGER note_step BEFORE UPDATE ON analyses
    FOR EACH ROW WHEN ((NEW.status, NEW.stage, NEW.restarts, NEW.worker)
        IS DISTINCT FROM (OLD.status, OLD.stage, OLD.restarts, OLD.worker))
    EXECUTE FUNCTION note_step();

-- Whoever asks for the jobs in some state gets the newest without a look at the others.
CREATE INDEX analyses_by_status ON analyses (status, id);
CREATE INDEX analyses_failed ON analyses (finished_at) WHERE status = 'failed';

-- How many jobs stand in a status (present) and how many ended in it (ended), by the hour of the change.
-- Writers append to analysis_changes, which waits for no lock; the leader folds it into
-- analysis_counts, and hours that are not asked for any more into the hour 'epoch'.
CREATE TABLE analysis_counts (
    hour    timestamptz NOT NULL,
    status  text        NOT NULL,
    cached  boolean     NOT NULL,
    present bigint      NOT NULL,
    ended   bigint      NOT NULL,
    PRIMARY KEY (hour, status, cached)
);
CREATE TABLE analysis_changes (
    hour    timestamptz NOT NULL,
    status  text        NOT NULL,
    cached  boolean     NOT NULL,
    present smallint    NOT NULL,
    ended   smallint    NOT NULL
);

-- cached tells that no vision model was called.
-- +goose StatementBegin
CREATE FUNCTION answered_from_cache(result jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE((result ->> 'cached')::boolean, false);
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO analysis_changes (hour, status, cached, present, ended) VALUES (
            date_trunc('hour', now()), OLD.status, answered_from_cache(OLD.result), -1, 0);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO analysis_changes (hour, status, cached, present, ended) VALUES (
            date_trunc('hour', now()), NEW.status, answered_from_cache(NEW.result), 1,
            (NEW.status IN ('succeeded', 'failed', 'canceled'))::int);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER note_change AFTER INSERT OR DELETE ON analyses
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER note_change_of_status AFTER UPDATE OF status ON analyses
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION note_change();

INSERT INTO analysis_counts (hour, status, cached, present, ended)
SELECT CASE WHEN finished_at > now() - interval '24 hours' THEN date_trunc('hour', finished_at)
        ELSE 'epoch' END,
    status, answered_from_cache(result), count(*),
    count(*) FILTER (WHERE status IN ('succeeded', 'failed', 'canceled'))
FROM analyses GROUP BY 1, 2, 3;

-- What operators did, beside the audit log: that tells who reads logs, this wcctl top.
CREATE TABLE operator_actions (
    at      timestamptz NOT NULL,
    kind    text        NOT NULL,
    -- subject is a job's id or a queue's name.
    subject text        NOT NULL,
    actor   text        NOT NULL,
    -- refused is why it was not done; null where it was.
    refused text
);
CREATE INDEX operator_actions_newest ON operator_actions (at);

-- +goose Down
DROP TABLE operator_actions;
DROP TRIGGER note_change_of_status ON analyses;
DROP TRIGGER note_change ON analyses;
DROP FUNCTION note_change();
DROP FUNCTION answered_from_cache(jsonb);
DROP TABLE analysis_changes;
DROP TABLE analysis_counts;
DROP INDEX analyses_failed;
DROP INDEX analyses_by_status;
DROP TRIGGER note_step ON analyses;
DROP TRIGGER note_first_step ON analyses;
DROP FUNCTION note_step();
ALTER TABLE analyses DROP COLUMN try_error, DROP COLUMN steps;
