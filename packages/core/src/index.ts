export type {
  AppendOutcome,
  Backplane,
  BusMessage,
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
export { Channels, type Subscription } from './backplane/channels.ts'
export { StoreError } from './backplane/guarded-backplane.ts'
export { type LogOptions, logOptions } from './backplane/log-options.ts'
export { createMemoryBackplane } from './backplane/memory/memory-backplane.ts'
export type { MemoryEventLogOptions } from './backplane/memory/memory-event-log.ts'
export { dueAt, eventBytes, type LogBounds, planTrim, type StoredEvent, type TrimPlan } from './backplane/trim-plan.ts'
export type { EndpointSessions, SessionInfo } from './cluster/endpoint-sessions.ts'
export { toBusMessage } from './cluster/node-messages.ts'
export {
  createServerEventBus,
  type ServerEvent,
  type ServerEventBus,
  type ServerEventBusOptions,
} from './cluster/server-event-bus.ts'
export type {
  CallMessage,
  DiagnosticMessage,
  ForwardMessage,
  QuestionMessage,
  RefusalMessage,
  ReplayMessage,
  RequestMessage,
  SessionMessage,
  StreamMessage,
  TakeoverMessage,
  TracedMessage,
  TracedMessages,
} from './diagnostics/messages.ts'
export { createEndpoint, type Endpoint, type EndpointStats, toMountable } from './endpoint.ts'
export { type BearerAuth, type BearerAuthOptions, createBearerAuth } from './http/bearer-auth.ts'
export type { ErrorSource } from './http/error-source.ts'
export { isRejection, type RefusalCode, Rejection } from './http/errors.ts'
export type {
  BodySink,
  EventSink,
  EventStreamBody,
  HttpReply,
  HttpRequest,
  Mountable,
  SinkEvents,
} from './http/http.ts'
export { checkMountable } from './http/mountable.ts'
export { type OriginPolicyOptions, originPolicy } from './http/origin-policy.ts'
export type { TraceContext } from './http/trace-context.ts'
export { type FieldLogger, type LogEntry, logCalls } from './observe/log-calls.ts'
export { type Metric, type MetricSink, measure } from './observe/measure.ts'
export { type Observer, observe } from './observe/observe.ts'
export { errorTypeOf, type MetricAttributes, networkVersionOf, OperationNames, targetOf } from './observe/operation.ts'
export { type PrometheusClient, type PrometheusRegistry, prometheusMetrics } from './observe/prometheus.ts'
export { answeredCode, questionErrorOf } from './observe/question.ts'
export { anOptionalFunction, checkOptions, expected, option, wholeNumber } from './option-checks.ts'
export type { EndpointOptions } from './options.ts'
export { within } from './promises/deadline.ts'
export type { MaybePromise } from './promises/maybe-promise.ts'
export type { RequestState } from './rpc/request-state.ts'
export type { AuthInfo, McpServerLike, ServerFactory, ServerTransport, SessionContext } from './rpc/server.ts'
export { type SharedContext, sharedServer } from './rpc/shared-server.ts'
export type { SessionActivity } from './session/session-activity.ts'
export { sessionKey } from './session/session-id.ts'
export { createEventIdCodec, type EventIdCodec, type EventPlace } from './stream/event-id.ts'
export type { StreamInfo } from './stream/stream-info.ts'
