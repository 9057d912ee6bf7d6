export type {
  AppendOutcome,
  Backplane,
  EventKind,
  EventLog,
  LogEvent,
  LogPage,
  LogPosition,
  MessageBus,
  SessionChanges,
  SessionRecord,
  SessionStore,
  Taking,
} from './backplane/backplane.ts'
export { StoreError } from './backplane/guarded-backplane.ts'
export { createMemoryBackplane } from './backplane/memory/memory-backplane.ts'
export type { MemoryEventLogOptions } from './backplane/memory/memory-event-log.ts'
export type { EndpointSessions, SessionInfo } from './cluster/endpoint-sessions.ts'
export {
  createServerEventBus,
  type ServerEvent,
  type ServerEventBus,
  type ServerEventBusOptions,
} from './cluster/server-event-bus.ts'
export { createEndpoint, type Endpoint, type EndpointStats, toMountable } from './endpoint.ts'
export { type BearerAuth, type BearerAuthOptions, createBearerAuth } from './http/bearer-auth.ts'
export type { ErrorSource } from './http/error-source.ts'
export { type RefusalCode, Rejection } from './http/errors.ts'
export type { EventSink, EventStreamBody, HttpReply, HttpRequest, Mountable, SinkEvents } from './http/http.ts'
export { anOptionalFunction, checkOptions, expected, option, wholeNumber } from './option-checks.ts'
export type { EndpointOptions } from './options.ts'
export type { MaybePromise } from './promises/maybe-promise.ts'
export type { RequestState } from './rpc/request-state.ts'
export type { AuthInfo, McpServerLike, ServerFactory, ServerTransport, SessionContext } from './rpc/server.ts'
export type { SessionActivity } from './session/session-activity.ts'
export { sessionKey } from './session/session-id.ts'
export { createEventIdCodec, type EventIdCodec, type EventPlace } from './stream/event-id.ts'
