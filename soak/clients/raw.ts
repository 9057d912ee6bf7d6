import { connect } from 'node:net'

export interface Talk {
  /** What is sent, piece by piece; each is a write of its own. */
  readonly pieces: readonly Buffer[]
  readonly paceMs?: number
  /** The client leaves after having sent so many bytes; */
  readonly sendAtMost?: number
  /** or after having read so many. */
  readonly readAtMost?: number
  readonly leave?: 'destroy' | 'reset' | 'end'
  /** It leaves then at the latest. */
  readonly timeoutMs: number
}

/** Speaks HTTP byte by byte on a socket of its own, and resolves with what came back until the connection closed. */
export function talk(url: string, options: Talk): Promise<string> {
  const { pieces, paceMs = 0, sendAtMost = Infinity, readAtMost = Infinity, leave = 'destroy', timeoutMs } = options
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(port), hostname)
    const go = (): void => {
      if (leave === 'reset') socket.resetAndDestroy()
      else if (leave === 'end') socket.end(() => socket.destroy())
      else socket.destroy()
    }
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    socket.setNoDelay(true)
    socket.on('connect', async () => {
      let left = sendAtMost
      for (const piece of pieces) {
        if (socket.destroyed) return
        socket.write(piece.subarray(0, left))
        left -= piece.length
        if (left <= 0) break
        // A turn between writes, so that they arrive one by one.
        await new Promise((next) => (paceMs > 0 ? setTimeout(next, paceMs) : setImmediate(next)))
      }
      if (left <= 0) go()
    })
    socket.on('data', (chunk) => {
      if (answer.length < 100_000) answer += chunk.toString('latin1')
      if (answer.length >= readAtMost) go()
    })
    // Whoever leaves like this expects resets.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}

/** 0 if no status line came. */
export function toStatus(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)
}

/** The head of a request, after which the server closes the connection. */
export function toHead(url: string, method: string, headers: Readonly<Record<string, string>>): string {
  const { host, pathname } = new URL(url)
  const fields = Object.entries({ host, connection: 'close', ...headers })
  return `${method} ${pathname} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** A request with a body of declared length. */
export function toRequest(url: string, headers: Readonly<Record<string, string>>, body: string): Buffer {
  const length = String(Buffer.byteLength(body))
  return Buffer.from(toHead(url, 'POST', { ...headers, 'content-length': length }) + body, 'utf8')
}

/** The same body in chunks of so many bytes, each to be written by itself. */
export function toChunks(url: string, headers: Readonly<Record<string, string>>, body: string, size: number): Buffer[] {
  const bytes = Buffer.from(body)
  const pieces = [Buffer.from(toHead(url, 'POST', { ...headers, 'transfer-encoding': 'chunked' }))]
  for (let i = 0; i < bytes.length; i += size) {
    const part = bytes.subarray(i, i + size)
    pieces.push(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]))
  }
  return [...pieces, Buffer.from('0\r\n\r\n')]
}
