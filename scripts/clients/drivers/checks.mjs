import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** What is asked of a client, by name. Each throws where the client was not served as it should be. */
export const checks = {
  async list({ list }) {
    const names = await list()
    if (!names.includes('echo')) throw new Error(`Expected echo among the tools, got ${names}`)
  },

  async call({ call }) {
    expectText(await call('echo', { text: 'héllo ✓' }), 'héllo ✓')
  },

  async unknown({ call }) {
    const outcome = await call('no_such_tool').then(
      (text) => `the answer ${text}`,
      (error) => error,
    )
    // Some hide the text of an error. That the server's answer was the right one is seen on the wire.
    if (!(outcome instanceof Error)) throw new Error(`Expected an error, got ${outcome}`)
  },

  async progress({ call }) {
    const seen = []
    expectText(await call('slow', { steps: 3 }, { onProgress: ({ progress }) => seen.push(progress) }), 'slow done')
    expectText(seen.join(' '), '1 2 3')
  },

  async cancel({ call }) {
    const key = randomUUID()
    const controller = new AbortController()
    const outcome = call('wait', { key }, { signal: controller.signal }).then(
      (text) => `the answer ${text}`,
      (error) => error,
    )
    await until('running', () => call('wait_state', { key }))
    controller.abort()
    const ended = await outcome
    if (!(ended instanceof Error)) throw new Error(`Expected the call to be rejected, got ${ended}`)
    await until('cancelled', () => call('wait_state', { key }))
  },

  async ask({ call }) {
    expectText(await call('ask'), 'Hello, Ada!')
    expectText(await call('ask_by_result'), 'Hello, Ada!')
  },

  async change({ call, heard }) {
    const before = heard.count
    expectText(await call('change'), 'changed')
    await until(true, () => heard.count > before)
  },

  async large({ call }) {
    const bytes = 2 * 1024 * 1024
    const text = await call('large', { bytes })
    if (text !== '0123456789abcdef'.repeat(bytes / 16)) throw new Error(`Expected ${bytes} bytes, got ${text.length}`)
  },
}

function expectText(text, wanted) {
  if (text !== wanted) throw new Error(`Expected ${JSON.stringify(wanted)}, got ${JSON.stringify(text)}`)
}

/** Asks until it is told the wanted. */
async function until(wanted, ask) {
  for (let tries = 0; tries < 100; tries++) {
    if ((await ask()) === wanted) return
    await sleep(100)
  }
  throw new Error(`Expected ${wanted} within 10 s, got ${await ask()}`)
}
