#!/usr/bin/env bash
# Finding: a Postgres function, or prepared statement, that finds one row by unique keys reads a whole table once it has grown.
#
# Packages: @electric-sql/pglite 0.5.17, which is PostgreSQL in the process.
# Expected: a query that joins two tables by the columns of their UNIQUE constraints reads a row of each, however large the
#   tables are, in a function of PL/pgSQL and as a prepared statement as elsewhere.
# Instead: both plan the query in the first calls of a connection and keep that plan. One that was made while the tables
#   had ten rows, and were analyzed, reads all of a table at each call when it has thousands, until it is analyzed anew;
#   autovacuum does that once a minute at most. The same text sent as a query of its own reads a few rows.
# It means: a session store whose functions were warmed up at night takes milliseconds of the server for each request of
#   the morning, the more the more sessions there are. With `SET enable_seqscan = off` on the function its plan is one for
#   large tables from the beginning.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @electric-sql/pglite@0.5.17

cat >finding.js <<'JS'
import { PGlite } from '@electric-sql/pglite'

const db = new PGlite()
const [{ version }] = (await db.query('SELECT version()')).rows
console.log(`node ${process.version}\n@electric-sql/pglite 0.5.17, ${version.split(' on ')[0]}`)

const JOIN = `SELECT k.id FROM session s JOIN stream k ON k.session = s.id WHERE s.name = a_name AND k.tag = 'get'`
const toFunction = (name, query, settings = '') => `
  CREATE FUNCTION ${name}(a_name text) RETURNS bigint LANGUAGE plpgsql STABLE ${settings} AS $$
    DECLARE found bigint;
    BEGIN ${query.replace('SELECT k.id', 'SELECT k.id INTO found')}; RETURN found; END $$;`

const add = (from, to) => `
  INSERT INTO session (name) SELECT 'session ' || i FROM generate_series(${from}, ${to}) i;
  INSERT INTO stream (session, tag) SELECT id, 'get' FROM session WHERE id BETWEEN ${from} AND ${to};`

await db.exec(`
  CREATE TABLE session (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
  CREATE TABLE stream (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session bigint NOT NULL, tag text NOT NULL,
    UNIQUE (session, tag));
  ${toFunction('by_join', JOIN)}
  ${toFunction('by_join_without_seqscan', JOIN, 'SET enable_seqscan = off')}
  ${add(1, 10)}
  ANALYZE;
  PREPARE prepared (text) AS ${JOIN.replace('a_name', '$1')};`)

async function countRead() {
  const sql = 'SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS read FROM pg_stat_xact_user_tables'
  return (await db.query(sql)).rows[0].read
}

/** Rows that are read to find one. */
async function cost(find) {
  const before = await countRead()
  const { rows } = await db.query(find)
  if (rows.length !== 1 || Number(rows[0].id) !== 7) throw new Error(`expected stream 7, got ${JSON.stringify(rows)}`)
  return (await countRead()) - before
}

const ways = {
  'the query by itself': JOIN.replace('a_name', "'session 7'"),
  'the query in a function': "SELECT by_join('session 7') AS id",
  'in a function with enable_seqscan = off': "SELECT by_join_without_seqscan('session 7') AS id",
  'as a prepared statement': "EXECUTE prepared('session 7')",
}
async function costs() {
  const each = {}
  for (const [name, find] of Object.entries(ways)) each[name] = await cost(find)
  return each
}

for (let i = 0; i < 10; i++) await costs()
await db.exec(add(11, 20_000))
const grown = await costs()
await db.exec('ANALYZE')
const analyzed = await costs()

let changed = 0
for (const name of Object.keys(ways)) {
  console.log(`${name}: ${grown[name]} rows read of 40000, ${analyzed[name]} once they are analyzed`)
  const keepsPlan = name === 'the query in a function' || name === 'as a prepared statement'
  const isAsStated = (keepsPlan ? grown[name] > 10_000 : grown[name] <= 10) && analyzed[name] <= 20
  if (isAsStated) continue
  changed++
  console.error(`  not as stated: expected ${keepsPlan ? 'more than 10000' : 'at most 10'} rows, then at most 20`)
}
if (changed > 0) {
  console.error(`CHANGED: ${changed} of ${Object.keys(ways).length} ways are not as this finding states`)
  process.exit(1)
}
console.log('AS STATED: what was planned for small tables goes on to read all of them')
JS
status=0
timeout 120 node finding.js || status=$?
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 120 s' >&2
[ "$status" -eq 0 ] || exit 1
