// By its path, so that the types are written out in those of this package: the core is an optional peer, and who tests a
// server that is not made with it does not have it.
export type {
  AppendOutcome,
  Backplane,
  BusMessage,
  EventLog,
  LogEvent,
  LogPage,
  MessageBus,
  SessionChanges,
  SessionRecord,
  SessionStore,
  Taking,
} from '../../../packages/core/src/backplane/backplane.ts'
