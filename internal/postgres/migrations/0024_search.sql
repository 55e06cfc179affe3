-- +goose Up

-- ── what is common doesn't say where to look ──────────────────────────────
-- For each word the index first gathers all events of the span of time that
-- have a word beginning so, whatever else is asked for. So where 32 days are
-- looked at, a word that a hundred events of one day have is left out, and
-- looked for in the few rows that the rest finds. Where all is common, one goes
-- from day to day at once, and walks a day that has very many. Where a month of
-- days gave little, the next is asked for everything but what half of all have,
-- so that what is common and never meets is found out by month. Which words are common is only a
-- matter of speed, so a day that isn't like the others does no harm.
--
-- What is for members of other organizations is left out by its row. That
-- saves reading it behind the wall, which decides as before.
--
-- A look is one of very many. Each would be planned anew for as long as the
-- planner takes a question that it knows for cheaper. That a day is walked, it
-- is told by IS TRUE, which no index of words answers.
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format($function$
    CREATE OR REPLACE FUNCTION events_matching(typed text[], org uuid, kind text, after timestamptz, after_id uuid, until timestamptz, most int)
      RETURNS TABLE (id uuid, starts_at timestamptz)
      LANGUAGE plpgsql STABLE SECURITY DEFINER
      SET search_path = %I, pg_temp SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
      AS $body$
      DECLARE
        uuid_nil  CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
        few       CONSTANT int := 300; -- matches of 32 days that are read at once
        full_day  CONSTANT int := 500; -- matches of a day beyond which its events are walked
        many      CONSTANT int := 100; -- events of a day that have what is common, and of a sample
        words     text[] := ARRAY(SELECT DISTINCT left(lexeme, 100) FROM unnest(typed) word, unnest(to_tsvector('simple', word)));
        others    text[] := array_remove(ARRAY['@' || org, '#' || kind], NULL);
        mine      uuid[] := ARRAY(SELECT m.org_id FROM organization_users m WHERE m.user_id = app_user());
        looked_at timestamptz := after; -- everything before it is done
        next      timestamptz;
        month     bigint;
        day       bigint;
        unknown   boolean := true; -- what few have is to be found out
        seldom    text[] := words; -- the words that a month is asked for
        common    tsquery; -- those that it isn't
        narrow    boolean := true; -- few have something of what a month is asked for
        every     CONSTANT tsquery := (
                    SELECT string_agg('''' || replace(replace(word, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery FROM unnest(words) word);
        dense     bigint;  -- the month that is looked at day by day
        before    int;     -- what was found before it
        matches   int;
        ids       uuid[];
        starts    timestamptz[];
        found     int := 0;
        more      int;
      BEGIN
        WHILE cardinality(words) > 0 AND found < most LOOP
          next := (SELECT e.starts_at FROM events e WHERE e.starts_at >= looked_at ORDER BY e.starts_at LIMIT 1);
          EXIT WHEN next IS NULL OR next >= until;
          day := floor(extract(epoch FROM next) / 86400);
          month := floor(extract(epoch FROM next) / (32 * 86400));
          IF month IS DISTINCT FROM dense THEN
            IF dense IS NOT NULL THEN
              dense := NULL;
              unknown := found - before >= few;
              seldom := (
                SELECT array_agg(word) FROM unnest(words) word
                WHERE (SELECT count(*) FROM (SELECT e.search FROM events e WHERE e.starts_at >= next ORDER BY e.starts_at LIMIT many) s
                       WHERE s.search @@ ('''' || replace(replace(word, '\', '\\'), '''', '''''') || ''':*')::tsquery) < many / 2);
              narrow := cardinality(seldom) > 0 OR cardinality(others) > 0;
              common := every;
            END IF;
            IF unknown THEN
              SELECT array_agg(mark) FILTER (WHERE is_word AND NOT is_common), bool_or(NOT is_common)
              INTO seldom, narrow
              FROM (
                SELECT mark, is_word, many = (
                  SELECT count(*) FROM (
                    SELECT FROM events e
                    WHERE event_times(e.starts_at, e.org_id, e.category, e.search)
                          @@ event_times_query('d' || day, CASE WHEN is_word THEN ARRAY[mark] END, CASE WHEN NOT is_word THEN ARRAY[mark] END)
                    LIMIT many) such) AS is_common
                FROM (SELECT unnest(words), true UNION ALL SELECT unnest(others), false) asked(mark, is_word)) asked;
              common := CASE WHEN cardinality(seldom) = cardinality(words) THEN NULL ELSE every END;
              unknown := false;
            END IF;
            IF narrow THEN
              SELECT count(*), array_agg(m.id) FILTER (WHERE m.wanted), array_agg(m.starts_at) FILTER (WHERE m.wanted)
              INTO matches, ids, starts
              FROM (
                SELECT e.id, e.starts_at,
                       (e.visibility = 'public' OR e.org_id = ANY (mine)) AND (common IS NULL OR e.search @@ common) AS wanted
                FROM events e
                WHERE event_times(e.starts_at, e.org_id, e.category, e.search) @@ event_times_query('m' || month, seldom, others)
                LIMIT few + 1) m;
            END IF;
            IF narrow AND matches <= few THEN
              looked_at := to_timestamp((month + 1) * 32 * 86400);
            ELSE
              dense := month;
              before := found;
            END IF;
          END IF;
          IF month = dense THEN
            looked_at := to_timestamp((day + 1) * 86400);
            SELECT count(*), array_agg(m.id) FILTER (WHERE m.wanted), array_agg(m.starts_at) FILTER (WHERE m.wanted)
            INTO matches, ids, starts
            FROM (
              SELECT e.id, e.starts_at, e.visibility = 'public' OR e.org_id = ANY (mine) AS wanted
              FROM events e
              WHERE event_times(e.starts_at, e.org_id, e.category, e.search) @@ event_times_query('d' || day, words, others)
              LIMIT full_day + 1) m;
            IF matches > full_day THEN
              SELECT array_agg(m.id), array_agg(m.starts_at)
              INTO ids, starts
              FROM (
                SELECT e.id, e.starts_at
                FROM events e
                WHERE (e.starts_at, e.id) >= (next, CASE WHEN next = after THEN after_id ELSE uuid_nil END) AND e.id <> after_id
                      AND e.starts_at < looked_at AND (e.search @@ every) IS TRUE AND (org IS NULL OR e.org_id = org) AND (kind IS NULL OR e.category = kind)
                      AND (e.visibility = 'public' OR e.org_id = ANY (mine))
                ORDER BY e.starts_at, e.id
                LIMIT most - found) m;
            END IF;
          END IF;
          RETURN QUERY
            SELECT m.id, m.starts_at
            FROM unnest(ids, starts) m(id, starts_at)
            WHERE (m.starts_at, m.id) > (after, after_id) AND (until IS NULL OR m.starts_at < until)
            ORDER BY m.starts_at, m.id
            LIMIT most - found;
          GET DIAGNOSTICS more = ROW_COUNT;
          found := found + more;
        END LOOP;
      END
      $body$
    $function$, current_schema());
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION events_matching(text[], uuid, text, timestamptz, uuid, timestamptz, int) IS 'The next events, in the order of lists, whose words begin as typed, save for what is for members of other organizations; some may match in parts only, and some nobody may see.';
