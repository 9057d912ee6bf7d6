/** Marks a file as ours. */
export const applicationId = 0x4d_43_50_48

export const schemaVersion = 1

/**
 * - `session`: a record, with what does not change as JSON in `fixed`. `gone`: owners up to this term find that their
 *   log is gone. Times are milliseconds by {@link Clock}.
 * - `stream`: of a session's log. What `head` and the next three tell is true once its newest event was dropped. `state`:
 *   0 kept, 1 delivered, 2 dropped; `since`: when it became that.
 * - `event`: kinds are 0 progress, 1 notification, 2 message.
 * - `lease`: `process` is that which renewed it.
 * - `message`: of the bus, for some seconds. Its ids have no gap.
 *
 * Ids of streams and messages are not given twice: what comes late must not reach another.
 */
export const schema = `
CREATE TABLE session (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  fixed TEXT NOT NULL,
  term INTEGER NOT NULL,
  owner TEXT NOT NULL,
  initialized INTEGER NOT NULL,
  log_level TEXT,
  subscriptions TEXT NOT NULL,
  expires REAL NOT NULL,
  gone INTEGER NOT NULL DEFAULT -1
);
CREATE INDEX session_expires ON session (expires);
CREATE TABLE stream (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  session INTEGER NOT NULL,
  tag TEXT NOT NULL,
  request_ids TEXT NOT NULL,
  head INTEGER NOT NULL DEFAULT 0,
  term INTEGER NOT NULL DEFAULT 0,
  n INTEGER NOT NULL DEFAULT 0,
  last INTEGER NOT NULL DEFAULT 0,
  state INTEGER NOT NULL DEFAULT 0,
  since REAL,
  UNIQUE (session, tag)
);
CREATE INDEX stream_since ON stream (since) WHERE since IS NOT NULL;
CREATE TABLE event (
  stream INTEGER NOT NULL,
  i INTEGER NOT NULL,
  term INTEGER NOT NULL,
  n INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  last INTEGER NOT NULL,
  settled INTEGER NOT NULL DEFAULT 0,
  data TEXT NOT NULL,
  PRIMARY KEY (stream, i)
);
CREATE TABLE lease (node TEXT PRIMARY KEY, ends REAL NOT NULL, process TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  text TEXT NOT NULL,
  at REAL NOT NULL
);
CREATE TABLE clock (boot TEXT PRIMARY KEY, offset REAL NOT NULL) WITHOUT ROWID;`
