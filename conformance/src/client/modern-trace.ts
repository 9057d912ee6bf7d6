import { randomUUID } from 'node:crypto'
import type { CheckContext } from './context.ts'
import { fail } from './expect.ts'
import { type Json, textOf } from './json-rpc.ts'
import { modernRole, modernTool } from './modern.ts'
import { delay, patienceMs } from './waiting.ts'

/** A call that leaves a trace, and tells what became of it. */
export class ModernTrace {
  readonly key = randomUUID()
  readonly #context: CheckContext

  /** Not testable where the tools are not listed to clients of this revision. */
  static async create(context: CheckContext): Promise<ModernTrace> {
    await modernRole(context, 'abort_probe')
    await modernRole(context, 'abort_query')
    return new ModernTrace(context)
  }

  private constructor(context: CheckContext) {
    this.#context = context
  }

  /** Parameters of the call that leaves it after `ms`. */
  params(ms: number): Json {
    return { name: 'abort_probe', arguments: { key: this.key, ms } }
  }

  /** `running`, `aborted`, `finished`, or `unknown`: never begun. */
  async state(): Promise<string> {
    const { response } = await modernTool(this.#context, 'abort_query', { key: this.key })
    return textOf(response) ?? fail(`Expected a text from abort_query, got ${JSON.stringify(response)}`)
  }

  async until(wanted: string): Promise<void> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const state = await this.state()
      if (state === wanted) return
      if (performance.now() > deadline)
        fail(`Expected the call to be ${wanted} within ${patienceMs} ms, it is ${state}`)
      await delay(20)
    }
  }
}
