import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('proxy-main.ts', import.meta.url))

/** The proxy before the store. Not in the process of the clients: what keeps those busy is no fault of the network. */
export class ProxyProcess {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async start(target: number): Promise<ProxyProcess> {
    const args = ['--import', 'tsx', entry, String(target)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [port] = (await once(child, 'message')) as [number]
    return new ProxyProcess(child, port)
  }

  /** `undefined`: nowhere. */
  pointTo(target: number | undefined): void {
    this.#child.send(target ?? 0)
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}
