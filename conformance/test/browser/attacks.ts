import { expect } from 'vitest'

/** What a page tries, what the server must see of it, and what the page. */
export interface Attack {
  readonly name: string
  /** The body of an async function of `target` and `call`. */
  readonly script: string
  /** What that returns: as much as the page could read. */
  readonly reads?: unknown
  /** Method and status of each request, in order. */
  readonly seen: readonly string[]
}

/** A call that needs no session, and so runs by itself where it is let in. */
export const callHeaders = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'echo',
}

export const call = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: { text: 'ran' },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'page', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})

const headers = JSON.stringify(callHeaders)

/** Waits for something to end, however it does. */
const ended = '(thing) => new Promise((resolve) => { thing.onload = thing.onerror = thing.onclose = () => resolve() })'

const readAnswer = 'async (response) => response.status + " " + (await response.text())'

/** What a page of another site can send, with and without the browser asking first. */
export const crossSite: readonly Attack[] = [
  {
    name: 'a fetch, which the browser asks about first',
    script: `return fetch(target, { method: 'POST', headers: ${headers}, body: call }).then(${readAnswer}, String)`,
    reads: 'TypeError: Failed to fetch',
    seen: ['OPTIONS 405'],
  },
  {
    name: 'a fetch that ends a session',
    script: `return fetch(target, { method: 'DELETE', headers: { 'mcp-session-id': 'x'.repeat(32) } }).then(${readAnswer}, String)`,
    reads: 'TypeError: Failed to fetch',
    seen: ['OPTIONS 405'],
  },
  {
    name: 'a fetch that needs no question, whose answer it may not read',
    script: `return fetch(target, { method: 'POST', body: call }).then(${readAnswer}, String)`,
    reads: 'TypeError: Failed to fetch',
    seen: ['POST 403'],
  },
  {
    name: 'a fetch that gives up on the answer',
    script: `return fetch(target, { method: 'POST', mode: 'no-cors', credentials: 'include', body: call }).then(({ type }) => type)`,
    reads: 'opaque',
    seen: ['POST 403'],
  },
  {
    name: 'a form whose text is JSON',
    script: `
      const form = Object.assign(document.createElement('form'), { method: 'POST', action: target, enctype: 'text/plain', target: 'frame' })
      // The name, "=" and the value make one text.
      form.append(Object.assign(document.createElement('input'), { name: call.slice(0, -1) + ',"a":"', value: '"}' }))
      const frame = Object.assign(document.createElement('iframe'), { name: 'frame' })
      document.body.append(frame, form)
      const loaded = (${ended})(frame)
      form.submit()
      await loaded`,
    seen: ['POST 403'],
  },
  {
    name: 'a beacon of text',
    script: `return navigator.sendBeacon(target, call)`,
    reads: true,
    seen: ['POST 403'],
  },
  {
    name: 'a beacon of a form',
    script: `return navigator.sendBeacon(target, new URLSearchParams({ call }))`,
    reads: true,
    seen: ['POST 403'],
  },
  {
    name: 'a beacon of JSON',
    script: `return navigator.sendBeacon(target, new Blob([call], { type: 'application/json' }))`,
    reads: true,
    seen: ['OPTIONS 405'],
  },
  {
    name: 'an EventSource',
    script: `const source = new EventSource(target, { withCredentials: true }); await (${ended})(source); return source.readyState`,
    reads: 2,
    seen: ['GET 403'],
  },
  {
    name: 'a WebSocket',
    script: `const socket = new WebSocket(target.replace('http', 'ws')); await (${ended})(socket); return socket.readyState`,
    reads: 3,
    seen: ['GET 403'],
  },
  {
    name: 'a picture',
    script: `const picture = new Image(); const over = (${ended})(picture); picture.src = target; await over; return picture.width`,
    reads: 0,
    seen: ['GET 403'],
  },
  {
    name: 'a script',
    script: `const script = document.createElement('script'); const over = (${ended})(script); script.src = target; document.body.append(script); await over`,
    seen: ['GET 403'],
  },
  {
    name: 'a frame',
    script: `const frame = document.createElement('iframe'); const over = (${ended})(frame); frame.src = target; document.body.append(frame); await over`,
    seen: ['GET 403'],
  },
  {
    name: 'a frame without an origin',
    script: `
      const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts' })
      frame.srcdoc = '<script>fetch(' + JSON.stringify(target) + ', { method: "POST", mode: "no-cors", body: "{}" })</' + 'script>'
      document.body.append(frame)`,
    seen: ['POST 403'],
  },
]

/** What a page can send to a server that it believes to be its own: everything, and it reads the answers. */
export const rebound: readonly Attack[] = [
  {
    name: 'a call',
    script: `return fetch(target, { method: 'POST', headers: ${headers}, body: call }).then(${readAnswer}, String)`,
    reads: expect.stringContaining('Host not allowed'),
    seen: ['POST 403'],
  },
  {
    name: 'a stream',
    script: `return fetch(target, { headers: { accept: 'text/event-stream' } }).then(${readAnswer}, String)`,
    reads: expect.stringContaining('Host not allowed'),
    seen: ['GET 403'],
  },
  {
    name: 'the end of a session',
    script: `return fetch(target, { method: 'DELETE', headers: { 'mcp-session-id': 'x'.repeat(32) } }).then(${readAnswer}, String)`,
    reads: expect.stringContaining('Host not allowed'),
    seen: ['DELETE 403'],
  },
  {
    name: 'an EventSource',
    script: `const source = new EventSource(target); await (${ended})(source); return source.readyState`,
    reads: 2,
    seen: ['GET 403'],
  },
  {
    name: 'a beacon of JSON',
    script: `return navigator.sendBeacon(target, new Blob([call], { type: 'application/json' }))`,
    reads: true,
    seen: ['POST 403'],
  },
]
