import { type ClientPort, deadlines, type ListenerEvents, type Row, within } from './postgres-client.ts'

/** What is used of a PGlite: a Postgres within the process, with one connection. */
interface PGlite {
  readonly waitReady: PromiseLike<unknown>
  query(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly Row[] }>
  exec(text: string): Promise<unknown>
  listen(name: string, onNotify: () => void): Promise<() => Promise<void>>
}

export function isPGlite(client: unknown): client is PGlite {
  const { query, exec, listen, waitReady } = (client ?? {}) as Partial<PGlite>
  return [query, exec, listen, waitReady?.then].every((member) => typeof member === 'function')
}

/** Nothing breaks between it and us. What the application does in a transaction everything else waits for. */
export function fromPGlite(pglite: PGlite): ClientPort {
  return {
    async query(text, values) {
      const { rows } = await within(deadlines.reply, 'a result', pglite.query(text, values))
      return rows
    },
    async script(text) {
      await pglite.exec(text)
    },
    openListener({ woken }: ListenerEvents) {
      const names = new Map<string, Promise<() => Promise<void>>>()
      const unlisten = async (name: string): Promise<void> => {
        const listening = names.get(name)
        names.delete(name)
        await (await listening)?.()
      }
      return {
        listen(name) {
          const listening = pglite.listen(name, woken)
          names.set(name, listening)
          return listening
        },
        unlisten,
        end() {
          for (const name of [...names.keys()]) unlisten(name).catch(() => undefined)
        },
      }
    },
  }
}
