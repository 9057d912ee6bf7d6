export type {
  AppendOutcome,
  Backplane,
  EventKind,
  EventLog,
  LogEvent,
  LogPage,
  LogPosition,
  MaybePromise,
  MessageBus,
  SessionChanges,
  SessionRecord,
  SessionStore,
} from './backplane.ts'
export { type BearerAuth, type BearerAuthOptions, createBearerAuth } from './bearer-auth.ts'
export {
  createEndpoint,
  type Endpoint,
  type EndpointSessions,
  type EndpointStats,
  type SessionInfo,
} from './endpoint.ts'
export { type RefusalCode, Rejection } from './errors.ts'
export { createEventIdCodec, type EventIdCodec, type EventPlace } from './event-id.ts'
export type { EventSink, EventStreamBody, HttpReply, HttpRequest, Mountable, SinkEvents } from './http.ts'
export { createMemoryBackplane } from './memory-backplane.ts'
export type { MemoryEventLogOptions } from './memory-event-log.ts'
export type { EndpointOptions, ErrorSource } from './options.ts'
export { type Outlet, PacedSink, queueBytes } from './paced-sink.ts'
export type { AuthInfo, McpServerLike, ServerFactory, ServerTransport, SessionContext } from './server.ts'
export { sessionKey } from './session-id.ts'
