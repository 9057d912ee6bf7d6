import { kill, start } from './children.ts'
import type { EraName } from './roster.ts'

/** One HTTP exchange, as the server saw it. Bodies are cut after 2,000 bytes. */
export interface Exchange {
  readonly method: string
  readonly version?: string
  readonly sessionId?: string
  readonly body: string
  /** What the factory was told: at this request, or when its session began. */
  readonly era?: EraName
  /** None: the client left before there was one. */
  readonly status?: number
  readonly type?: string
  readonly reply: string
  /** The client went before the reply was over. */
  readonly left: boolean
}

export interface RunningServer {
  urlOf(client: string): string
  logOf(client: string): Promise<Exchange[]>
  /** Stops it. Says what was wrong with what it held, wrote or how it ended, if anything was. */
  stop(): Promise<string[]>
}

const startTimeoutMs = 30_000
const stopTimeoutMs = 15_000

/** What a server has none of when its clients are gone. Sessions wait for those that may come back. */
const temporary = ['connections', 'calls', 'questions', 'detachedCalls', 'bodyBytes'] as const

/** Starts a server program on a free port. */
export async function startServer(folder: string, file: string): Promise<RunningServer> {
  const child = start(process.execPath, [file], folder)
  const listening = new Promise<string>((resolve) => {
    child.onOutput(() => {
      const url = /^listening (http:\S+)$/m.exec(child.stdout)?.[1]
      if (url !== undefined) resolve(url)
    })
  })
  const started = await Promise.race([listening, child.ended, after(startTimeoutMs)])
  if (typeof started !== 'string' || !started.startsWith('http')) {
    kill(child.pid, 'SIGKILL')
    throw new Error(`Expected ${file} to listen, got ${started ?? 'nothing'}\n${child.stderr}`)
  }
  return {
    urlOf: (client) => `${started}/mcp/${client}`,
    logOf: (client) => read(`${started}/log/${client}`) as Promise<Exchange[]>,
    stop,
  }

  async function stop(): Promise<string[]> {
    const trouble = await leftovers(started as string)
    kill(child.pid, 'SIGTERM')
    const end = await Promise.race([child.ended, after(stopTimeoutMs)])
    if (end !== 0) trouble.push(`Expected the server to exit with 0 after SIGTERM, got ${end ?? 'nothing'}`)
    kill(child.pid, 'SIGKILL')
    if (child.stderr !== '') trouble.push(`Expected the server to report nothing, got ${child.stderr.trim()}`)
    return trouble
  }
}

/** The last connections of clients that were just ended may still be on their way. */
async function leftovers(url: string): Promise<string[]> {
  let found: string[] = []
  for (let tries = 0; tries < 50; tries++) {
    const stats = (await read(`${url}/stats`)) as Readonly<Record<(typeof temporary)[number], number>>
    found = temporary.filter((name) => stats[name] > 0).map((name) => `Expected no ${name} at last, got ${stats[name]}`)
    if (found.length === 0) break
    await after(100)
  }
  return found
}

async function read(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  return response.json()
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref())
}
