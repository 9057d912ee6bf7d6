/** Delay after which the kernel probes a silent connection that carries an event stream, in milliseconds. */
export const tcpKeepAliveMs = 15_000
