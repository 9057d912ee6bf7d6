-- Two that begin at once do it one after the other.
SELECT pg_advisory_xact_lock(hashtext('"mcp"'));

-- IF NOT EXISTS asks for the right to create one, also where it exists.
DO $$ BEGIN
  IF to_regnamespace('"mcp"') IS NULL THEN CREATE SCHEMA "mcp"; END IF;
END $$;
CREATE TABLE IF NOT EXISTS "mcp".migration (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());

CREATE TABLE IF NOT EXISTS "mcp".session (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  fixed text NOT NULL,
  term bigint NOT NULL,
  owner text NOT NULL,
  node text NOT NULL,
  initialized boolean NOT NULL,
  log_level text NOT NULL,
  subscriptions text NOT NULL,
  expires timestamptz NOT NULL,
  gone bigint NOT NULL DEFAULT -1
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS session_expires ON "mcp".session (expires);

CREATE TABLE IF NOT EXISTS "mcp".stream (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  session bigint NOT NULL,
  tag text NOT NULL,
  request_ids text NOT NULL,
  head bigint NOT NULL DEFAULT 0,
  term bigint NOT NULL DEFAULT 0,
  n bigint NOT NULL DEFAULT 0,
  last boolean NOT NULL DEFAULT false,
  state smallint NOT NULL DEFAULT 0,
  since timestamptz,
  UNIQUE (session, tag)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS stream_since ON "mcp".stream (since) WHERE state > 0;

CREATE TABLE IF NOT EXISTS "mcp".event (
  stream bigint NOT NULL,
  i bigint NOT NULL,
  term bigint NOT NULL,
  n bigint NOT NULL,
  kind smallint NOT NULL,
  last boolean NOT NULL,
  settled boolean NOT NULL DEFAULT false,
  data text NOT NULL,
  PRIMARY KEY (stream, i)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE IF NOT EXISTS "mcp".node (name text PRIMARY KEY, ends timestamptz NOT NULL);

CREATE UNLOGGED TABLE IF NOT EXISTS "mcp".message (
  id bigint GENERATED ALWAYS AS IDENTITY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  channel text NOT NULL,
  text text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS message_xid ON "mcp".message (xid);

CREATE OR REPLACE FUNCTION "mcp".get_session_1(a_name text) RETURNS SETOF "mcp".session LANGUAGE plpgsql STABLE ROWS 1 SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN QUERY SELECT * FROM "mcp".session WHERE name = a_name AND expires > clock_timestamp();
END $$;

CREATE OR REPLACE FUNCTION "mcp".update_session_1(
  a_name text, a_term bigint, ttl float8, a_owner text, a_node text, a_initialized boolean, a_log_level text,
  a_subscriptions text
) RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
  UPDATE "mcp".session SET owner = coalesce(a_owner, owner), node = coalesce(a_node, node),
    initialized = coalesce(a_initialized, initialized), log_level = coalesce(a_log_level, log_level),
    subscriptions = coalesce(a_subscriptions, subscriptions), expires = clock_timestamp() + ttl * interval '1 ms'
    WHERE name = a_name AND term = a_term AND expires > clock_timestamp();
  RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION "mcp".create_session_1(
  a_name text, a_fixed text, a_term bigint, a_owner text, a_node text,
  a_initialized boolean, a_log_level text, a_subscriptions text, ttl float8
) RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE old "mcp".session;
BEGIN
  LOOP
    INSERT INTO "mcp".session (name, fixed, term, owner, node, initialized, log_level, subscriptions, expires)
      VALUES (a_name, a_fixed, a_term, a_owner, a_node, a_initialized, a_log_level, a_subscriptions,
        clock_timestamp() + ttl * interval '1 ms')
      ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN true; END IF;
    SELECT * INTO old FROM "mcp".session WHERE name = a_name FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    IF old.expires > clock_timestamp() THEN RETURN false; END IF;
    PERFORM "mcp".remove_log_1(old.id);
    DELETE FROM "mcp".session WHERE id = old.id;
  END LOOP;
END $$;

-- FOR UPDATE waits for appends under way, which hold the row FOR KEY SHARE: none of an old term comes after this.
CREATE OR REPLACE FUNCTION "mcp".take_over_1(a_name text, expected bigint, a_owner text, a_node text, ttl float8)
RETURNS SETOF "mcp".session LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE s "mcp".session;
BEGIN
  SELECT * INTO s FROM "mcp".session WHERE name = a_name FOR UPDATE;
  IF NOT FOUND OR s.expires <= clock_timestamp() THEN RETURN; END IF;
  IF s.term = expected AND (s.node = a_node
      OR NOT EXISTS (SELECT FROM "mcp".node WHERE name = s.node AND ends > clock_timestamp())) THEN
    UPDATE "mcp".session SET term = expected + 1, owner = a_owner, node = a_node,
      expires = clock_timestamp() + ttl * interval '1 ms' WHERE id = s.id RETURNING * INTO s;
  END IF;
  RETURN NEXT s;
END $$;

CREATE OR REPLACE FUNCTION "mcp".delete_session_1(a_name text, a_term bigint)
RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE s "mcp".session;
BEGIN
  SELECT * INTO s FROM "mcp".session WHERE name = a_name FOR UPDATE;
  IF NOT FOUND OR s.expires <= clock_timestamp() OR s.term <> a_term THEN RETURN false; END IF;
  PERFORM "mcp".remove_log_1(s.id);
  DELETE FROM "mcp".session WHERE id = s.id;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION "mcp".delete_log_1(a_name text, a_term bigint)
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE s "mcp".session;
BEGIN
  SELECT * INTO s FROM "mcp".session WHERE name = a_name FOR UPDATE;
  IF NOT FOUND OR s.term > a_term THEN RETURN; END IF;
  PERFORM "mcp".remove_log_1(s.id);
  -- Who began what is gone now finds that it is.
  UPDATE "mcp".session SET gone = s.term WHERE id = s.id;
END $$;

CREATE OR REPLACE FUNCTION "mcp".remove_log_1(a_session bigint) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
  DELETE FROM "mcp".event WHERE stream = ANY (ARRAY(SELECT id FROM "mcp".stream WHERE session = a_session));
  DELETE FROM "mcp".stream WHERE session = a_session;
END $$;

-- The appends of many sessions: names and terms of each append; of each stream that an append writes to, which append it is
-- of, its tag and request ids; of each event, which of these streams it is of, and what it is. Gives the outcome of each append.
CREATE OR REPLACE FUNCTION "mcp".append_1(
  names text[], terms bigint[], appends int[], tags text[], ids text[],
  places int[], indexes bigint[], ns bigint[], kinds smallint[], lasts boolean[], texts text[]
) RETURNS text[] LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
  sessions bigint[];
  outcomes text[];
  streams bigint[];
BEGIN
  WITH locked AS MATERIALIZED (
    SELECT id, name, term, gone, expires FROM "mcp".session WHERE name = ANY (names) ORDER BY name FOR KEY SHARE)
  SELECT array_agg(s.id ORDER BY a.at), array_agg(CASE
      WHEN s.id IS NULL OR s.expires <= clock_timestamp() THEN 'gone'
      WHEN s.term <> a.term THEN 'fenced'
      WHEN s.gone >= a.term THEN 'gone'
      ELSE 'ok' END ORDER BY a.at)
    INTO sessions, outcomes
    FROM unnest(names, terms) WITH ORDINALITY a (name, term, at) LEFT JOIN locked s ON s.name = a.name;
  FOR tries IN 1..2 LOOP
    streams := ARRAY(
      SELECT CASE WHEN outcomes[e.append] = 'ok' THEN
        (SELECT k.id FROM "mcp".stream k WHERE k.session = sessions[e.append] AND k.tag = e.tag) END
      FROM unnest(appends, tags) WITH ORDINALITY e (append, tag, at) ORDER BY e.at);
    EXIT WHEN tries = 2 OR array_position(streams, NULL) IS NULL;
    INSERT INTO "mcp".stream (session, tag, request_ids)
      SELECT sessions[e.append], e.tag, e.ids FROM unnest(appends, tags, ids) WITH ORDINALITY e (append, tag, ids, at)
      WHERE outcomes[e.append] = 'ok' AND streams[e.at] IS NULL
      ON CONFLICT DO NOTHING;
  END LOOP;
  BEGIN
    INSERT INTO "mcp".event (stream, i, term, n, kind, last, data)
      SELECT streams[e.place], e.i, terms[appends[e.place]], e.n, e.kind, e.last, e.data
      FROM unnest(places, indexes, ns, kinds, lasts, texts) e (place, i, n, kind, last, data)
      WHERE streams[e.place] IS NOT NULL;
    RETURN outcomes;
  EXCEPTION WHEN unique_violation THEN
    RETURN "mcp".append_again_1(terms, appends, streams, places, indexes, ns, kinds, lasts, texts, outcomes);
  END;
END $$;

-- A page of a stream. The newest event tells how far it has come, or the stream itself where that was dropped.
CREATE OR REPLACE FUNCTION "mcp".read_1(a_name text, a_tag text, a_after bigint, a_most int)
RETURNS TABLE (ids text, head bigint, i bigint, term bigint, n bigint, kind smallint, last boolean, data text,
  head_term bigint, head_n bigint, ended boolean) LANGUAGE plpgsql STABLE ROWS 10 SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT k.request_ids, greatest(k.head, h.i), e.i, e.term, e.n, e.kind, e.last, e.data,
      CASE WHEN h.i > k.head THEN h.term ELSE k.term END, CASE WHEN h.i > k.head THEN h.n ELSE k.n END,
      CASE WHEN h.i > k.head THEN h.last ELSE k.last END
    FROM "mcp".stream k
    LEFT JOIN LATERAL (SELECT * FROM "mcp".event WHERE stream = k.id ORDER BY i DESC LIMIT 1) h ON true
    LEFT JOIN LATERAL (SELECT * FROM "mcp".event WHERE stream = k.id AND i > a_after ORDER BY i LIMIT a_most) e ON true
    WHERE k.session = (SELECT id FROM "mcp".session WHERE name = a_name AND expires > clock_timestamp()) AND k.tag = a_tag;
END $$;

-- Messages that could not be seen in a snapshot and can be now, in whichever order they were committed. They were begun
-- since, or were under way: so it costs no more while the application has a transaction open for long.
CREATE OR REPLACE FUNCTION "mcp".look_1(channels text[], seen pg_snapshot)
RETURNS TABLE (id bigint, channel text, text text) LANGUAGE plpgsql STABLE ROWS 10 SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT m.id, m.channel, m.text FROM "mcp".message m
    WHERE m.channel = ANY (channels) AND (m.xid >= pg_snapshot_xmax(seen)
      OR m.xid = ANY (ARRAY(SELECT pg_snapshot_xip(seen))));
END $$;

-- Some places are taken: by the same events, repeated after a lost reply, or by others. ON CONFLICT costs a third more, so
-- it is for these alone.
CREATE OR REPLACE FUNCTION "mcp".append_again_1(
  terms bigint[], appends int[], streams bigint[],
  places int[], indexes bigint[], ns bigint[], kinds smallint[], lasts boolean[], texts text[], outcomes text[]
) RETURNS text[] LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE refused int[];
BEGIN
  refused := ARRAY(
    SELECT DISTINCT appends[e.place] FROM unnest(places, indexes, ns, texts) e (place, i, n, data)
    JOIN "mcp".event kept ON kept.stream = ANY (streams) AND kept.stream = streams[e.place] AND kept.i = e.i
    WHERE (kept.term, kept.n, kept.data) IS DISTINCT FROM (terms[appends[e.place]], e.n, e.data));
  -- All of an append or nothing.
  INSERT INTO "mcp".event (stream, i, term, n, kind, last, data)
    SELECT streams[e.place], e.i, terms[appends[e.place]], e.n, e.kind, e.last, e.data
    FROM unnest(places, indexes, ns, kinds, lasts, texts) e (place, i, n, kind, last, data)
    WHERE streams[e.place] IS NOT NULL AND appends[e.place] <> ALL (refused)
    ON CONFLICT DO NOTHING;
  RETURN ARRAY(SELECT CASE WHEN o.at = ANY (refused) THEN 'fenced' ELSE o.outcome END
    FROM unnest(outcomes) WITH ORDINALITY o (outcome, at) ORDER BY o.at);
END $$;

-- Before newest events go: how far their streams had come.
CREATE OR REPLACE FUNCTION "mcp".keep_heads_1(streams bigint[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
  UPDATE "mcp".stream k SET head = e.i, term = e.term, n = e.n, last = e.last
    FROM unnest(streams) a (id)
    CROSS JOIN LATERAL (SELECT * FROM "mcp".event WHERE stream = a.id ORDER BY i DESC LIMIT 1) e
    WHERE k.id = ANY (streams) AND k.id = a.id AND k.head < e.i;
END $$;

-- What a session has too much of: events one by one, streams with all of theirs, and what is known of streams.
CREATE OR REPLACE FUNCTION "mcp".drop_1(
  a_name text, a_term bigint, streams bigint[], indexes bigint[], ended bigint[], forgotten bigint[]
) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
  PERFORM 1 FROM "mcp".session WHERE name = a_name AND term = a_term FOR KEY SHARE;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM "mcp".keep_heads_1(ARRAY(SELECT DISTINCT unnest(streams || ended)));
  DELETE FROM "mcp".event e USING unnest(streams, indexes) d (stream, i)
    WHERE e.stream = ANY (streams) AND e.stream = d.stream AND e.i = d.i;
  DELETE FROM "mcp".event WHERE stream = ANY (ended);
  UPDATE "mcp".stream SET state = 2, since = clock_timestamp() WHERE id = ANY (ended);
  DELETE FROM "mcp".stream WHERE id = ANY (forgotten);
END $$;

-- A bounded part of what is over. Nodes take different rows. Messages go that all could see in a snapshot long ago.
CREATE OR REPLACE FUNCTION "mcp".sweep_1(retain float8, seen text) RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
  most CONSTANT int := 5000;
  few CONSTANT int := 500;
  over bigint[];
  removed int;
  more boolean := false;
  -- No index is looked into for what changes from row to row, as clock_timestamp() does.
  this_moment CONSTANT timestamptz := clock_timestamp();
  since_when CONSTANT timestamptz := this_moment - retain * interval '1 ms';
BEGIN
  over := ARRAY(SELECT id FROM "mcp".session WHERE expires <= this_moment LIMIT few FOR UPDATE SKIP LOCKED);
  IF over <> '{}' THEN
    DELETE FROM "mcp".event WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM "mcp".event WHERE stream = ANY (ARRAY(SELECT id FROM "mcp".stream WHERE session = ANY (over)))
      LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    more := removed = most OR cardinality(over) = few;
    IF removed < most THEN
      DELETE FROM "mcp".stream WHERE session = ANY (over);
      DELETE FROM "mcp".session WHERE id = ANY (over);
    END IF;
  END IF;
  DELETE FROM "mcp".stream WHERE id = ANY (ARRAY(
    SELECT id FROM "mcp".stream WHERE state = 2 AND since <= since_when LIMIT few FOR UPDATE SKIP LOCKED));
  over := ARRAY(SELECT id FROM "mcp".stream WHERE state = 1 AND since <= since_when LIMIT few FOR UPDATE SKIP LOCKED);
  IF over <> '{}' THEN
    PERFORM "mcp".keep_heads_1(over);
    DELETE FROM "mcp".event WHERE ctid = ANY (ARRAY(SELECT ctid FROM "mcp".event WHERE stream = ANY (over) LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    more := more OR removed = most OR cardinality(over) = few;
    IF removed < most THEN
      UPDATE "mcp".stream SET state = 2, since = clock_timestamp() WHERE id = ANY (over);
    END IF;
  END IF;
  DELETE FROM "mcp".node WHERE name = ANY (ARRAY(
    SELECT name FROM "mcp".node WHERE ends <= this_moment - interval '1 hour' LIMIT few FOR UPDATE SKIP LOCKED));
  IF seen IS NOT NULL THEN
    DELETE FROM "mcp".message WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM "mcp".message WHERE xid < pg_snapshot_xmax(seen::pg_snapshot)
        AND pg_visible_in_snapshot(xid, seen::pg_snapshot) LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS removed = ROW_COUNT;
    more := more OR removed = most;
  END IF;
  RETURN more;
END $$;

INSERT INTO "mcp".migration (version) VALUES (2) ON CONFLICT DO NOTHING;
