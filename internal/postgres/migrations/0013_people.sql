-- +goose Up

-- What the organizations' records hold of one person is read over all of them
-- for that person's export.
CREATE INDEX audit_log_actor ON audit_log (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_about ON audit_log (subject_id, id);
