/** The span that something belongs to, as W3C Trace Context writes it. */
export interface TraceContext {
  /** Version, trace, span and flags: 55 characters. */
  readonly traceparent: string
  /** At most 512 characters. */
  readonly tracestate?: string | undefined
}

const traceparentForm = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/
const tracestateForm = /^[\x20-\x7e]{1,512}$/

/** `undefined` for what is none: a trace is never worth a request. So is a `tracestate` that is none, by itself. */
export function readTraceContext(given: unknown): TraceContext | undefined {
  const { traceparent, tracestate } = (given ?? {}) as Partial<Record<keyof TraceContext, unknown>>
  if (typeof traceparent !== 'string' || !traceparentForm.test(traceparent)) return undefined
  return typeof tracestate === 'string' && tracestateForm.test(tracestate)
    ? { traceparent, tracestate }
    : { traceparent }
}
