-- +goose Up

-- ── lists of events, each in the order in which it is read ────────────────
CREATE INDEX events_category_start ON events (category, starts_at, id);
CREATE INDEX events_org_category_start ON events (org_id, category, starts_at, id);
CREATE INDEX events_cancelled_start ON events (starts_at, id) WHERE cancelled_at IS NOT NULL;
CREATE INDEX events_org_cancelled_start ON events (org_id, starts_at, id) WHERE cancelled_at IS NOT NULL;
DROP INDEX events_unfinished;
CREATE INDEX events_unfinished ON events (starts_at, id) WHERE status IN ('upcoming', 'ongoing');

-- What a person has booked they may see: the policy of events asks for all of
-- it, and finds it here without visiting the bookings. So do lists of it. That
-- the status is in costs nothing: where it changes, bookings_waitlist has every
-- index written already.
CREATE INDEX bookings_person ON bookings (user_id, id) INCLUDE (event_id, org_id, status);
DROP INDEX bookings_user;

-- ── words by the time of their events ─────────────────────────────────────
-- An index of words alone gives all events that match, near and far. In this
-- one each word stands with the 32 days and with the day in which its event
-- starts, and so do organization and category: whoever wants a page looks from
-- day to day, where there is anything. Words are cut, since a word of the text
-- search has a limit, which would else be met with what stands before it.
CREATE FUNCTION event_times(starts_at timestamptz, org_id uuid, category text, search tsvector) RETURNS tsvector
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$
    SELECT array_to_tsvector(ARRAY(
      SELECT span || mark
      FROM unnest(ARRAY['m' || floor(extract(epoch FROM starts_at) / (32 * 86400)), 'd' || floor(extract(epoch FROM starts_at) / 86400)]) span,
           unnest(ARRAY(SELECT '.' || left(word, 100) FROM unnest(tsvector_to_array(search)) word)
                  || ('@' || org_id) || ('#' || category)) mark))
  $$;
COMMENT ON FUNCTION event_times(timestamptz, uuid, text, tsvector) IS 'The words of an event (.word), its organization (@id) and category (#word), each behind the days (m, counted by 32) and the day (d) of its start since 1970.';
-- Without a pending list, which each of the many looks at the index would read.
CREATE INDEX events_times ON events USING gin (event_times(starts_at, org_id, category, search)) WITH (fastupdate = off);

CREATE FUNCTION event_times_query(span text, words text[], others text[]) RETURNS tsquery
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$
    SELECT string_agg(part, ' & ')::tsquery
    FROM (
      SELECT '''' || replace(replace(span || '.' || word, '\', '\\'), '''', '''''') || ''':*' FROM unnest(words) word
      UNION ALL
      SELECT '''' || replace(replace(span || other, '\', '\\'), '''', '''''') || '''' FROM unnest(others) other
    ) parts(part)
  $$;
COMMENT ON FUNCTION event_times_query(text, text[], text[]) IS 'Asks event_times for beginnings of words and for other marks, in one span of time.';

-- Behind a policy @@ can't use an index, since it is not leakproof. This gives
-- ids and starts alone; what the wall doesn't show of them is not shown. A span
-- of 32 days with more than a few hundred matches is looked at day by day. The
-- planner can't estimate a query that it doesn't know, so it may not read the
-- table whole.
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format($function$
    CREATE FUNCTION events_matching(typed text[], org uuid, kind text, after timestamptz, after_id uuid, until timestamptz, most int)
      RETURNS TABLE (id uuid, starts_at timestamptz)
      LANGUAGE plpgsql STABLE SECURITY DEFINER
      SET search_path = %I, pg_temp SET enable_seqscan = off SET jit = off
      AS $body$
      DECLARE
        few       CONSTANT int := 300; -- matches of 32 days that are read at once
        words     text[] := ARRAY(SELECT DISTINCT left(lexeme, 100) FROM unnest(typed) word, unnest(to_tsvector('simple', word)));
        others    text[] := array_remove(ARRAY['@' || org, '#' || kind], NULL);
        looked_at timestamptz := after; -- everything before it is done
        next      timestamptz;
        month     bigint;
        dense     bigint; -- the month that is looked at day by day
        day       bigint;
        matches   uuid[];
        found     int := 0;
        more      int;
      BEGIN
        WHILE cardinality(words) > 0 AND found < most LOOP
          next := (SELECT e.starts_at FROM events e WHERE e.starts_at >= looked_at ORDER BY e.starts_at LIMIT 1);
          EXIT WHEN next IS NULL OR next >= until;
          day := floor(extract(epoch FROM next) / 86400);
          month := floor(extract(epoch FROM next) / (32 * 86400));
          IF month IS DISTINCT FROM dense THEN
            looked_at := to_timestamp((month + 1) * 32 * 86400);
            matches := ARRAY(
              SELECT e.id FROM events e
              WHERE event_times(e.starts_at, e.org_id, e.category, e.search) @@ event_times_query('m' || month, words, others)
              LIMIT few + 1);
            IF cardinality(matches) > few THEN
              dense := month;
            END IF;
          END IF;
          IF month = dense THEN
            looked_at := to_timestamp((day + 1) * 86400);
            matches := ARRAY(
              SELECT e.id FROM events e
              WHERE event_times(e.starts_at, e.org_id, e.category, e.search) @@ event_times_query('d' || day, words, others));
          END IF;
          RETURN QUERY
            SELECT e.id, e.starts_at FROM events e
            WHERE e.id = ANY (matches) AND (e.starts_at, e.id) > (after, after_id) AND (until IS NULL OR e.starts_at < until)
            ORDER BY e.starts_at, e.id
            LIMIT most - found;
          GET DIAGNOSTICS more = ROW_COUNT;
          found := found + more;
        END LOOP;
      END
      $body$
    $function$, current_schema());
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION events_matching(text[], uuid, text, timestamptz, uuid, timestamptz, int) IS 'The next events, in the order of lists, whose words begin as typed, also those that nobody may see; some may match in parts only.';
REVOKE ALL ON FUNCTION events_matching(text[], uuid, text, timestamptz, uuid, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION events_matching(text[], uuid, text, timestamptz, uuid, timestamptz, int) TO happening_app;
COMMENT ON FUNCTION events_found(tsquery, int) IS 'For the binary before events_matching: the ids of all events whose words match, also of those that nobody may see; null: there are more than the cap.';
