import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page, Response } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { skipsBrowser, useBrowser } from '../../../test-support/browser.ts'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { listen } from '../../../test-support/listen.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type Endpoint, type EndpointOptions, sessionKey } from '../../core/src/index.ts'
import { toNodeHandler } from '../../core/src/node/index.ts'
import { inspector } from '../src/index.ts'

const desktop = { width: 1440, height: 900 }
const phone = { width: 375, height: 740 }

/** `INSPECTOR=long`: with as many sessions as a node holds by default, and a tab that is left open for long. */
const isLong = process.env.INSPECTOR === 'long'
const sessions = isLong ? 10_000 : 1_000

/** A folder for pictures of the page; without it none are taken. */
const pictures = process.env.PICTURES

describe.skipIf(skipsBrowser())('in a browser', { timeout: isLong ? 1_800_000 : 180_000 }, () => {
  const browser = useBrowser()

  async function start(handlers: Handlers = {}, options: Partial<EndpointOptions> = {}) {
    const { endpoint } = createTestEndpoint(handlers, options)
    const { origin } = await listen(toNodeHandler(inspector(endpoint, { allow: () => true })))
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    return { endpoint, url: `${origin}/inspector` }
  }

  /** The page, which must not ask anybody else for anything, nor break its own policy. */
  async function open(url: string, viewport = desktop): Promise<Page> {
    const page = await browser().newPage({ viewport })
    const faults: string[] = []
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('request', (request) => request.url().startsWith(url) || faults.push(`asked for ${request.url()}`))
    onTestFinished(async () => {
      await page.close()
      expect(faults).toEqual([])
    })
    await page.goto(url)
    await page.getByRole('status').getByText('Live').waitFor()
    return page
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (!pictures) return
    mkdirSync(pictures, { recursive: true })
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
  }

  test('shows a session, follows a call over the wire, replays its stream, and ends the session', async () => {
    const goOn = deferred()
    const forecast: Handlers = {
      'tools/call': async ({ notify }) => {
        await notify('notifications/progress', { progressToken: 7, progress: 1, total: 2, message: 'asking Lisbon' })
        await goOn.promise
        return { content: [{ type: 'text', text: 'Lisbon: sunny' }], token: 'hunter2' }
      },
    }
    const { endpoint, url } = await start(forecast)
    const auth = { token: 't', clientId: 'app', scopes: [], extra: { iss: 'https://id.example.com', sub: 'alice' } }
    const client = await openSession(endpoint, { auth })
    for (let i = 0; i < 5; i++) await openSession(endpoint)
    const page = await open(url)
    await page.getByRole('searchbox', { name: 'Find' }).fill('alice')
    await page.getByRole('heading', { name: 'Sessions: 1 of 6' }).waitFor()
    // By keyboard alone.
    await page.getByRole('link', { name: 'test 1' }).focus()
    await page.keyboard.press('Enter')
    const detail = page.getByRole('region', { name: 'test 1' })
    await detail.getByText('2025 era (2025-11-25)').waitFor()
    expect(await page.locator('#session:focus').count()).toBe(1)

    const call = { name: 'forecast', arguments: { city: 'Lisbon', password: 'hunter2' } }
    const reader = await TestReader.open(await client.call('tools/call', call, 'first'))
    await detail.getByRole('button', { name: 'Follow tools/call forecast' }).click()
    const sequence = detail.getByRole('list', { name: 'Sequence of tools/call forecast' })
    await sequence.getByText('asking Lisbon').waitFor()
    await sequence.getByText('It runs.').waitFor()
    goOn.resolve()
    await reader.until(() => reader.ended)
    await sequence.getByText('Lisbon: sunny').waitFor()
    const steps = await sequence.locator('> li').allTextContents()
    expect(steps.map((step) => step.replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringMatching(/request tools\/call forecast.*Lisbon/),
      expect.stringMatching(/stream connection opened call stream/),
      expect.stringMatching(/event 1 progress.*asking Lisbon/),
      expect.stringMatching(/event 2 message, the last.*Lisbon: sunny/),
      expect.stringMatching(/stream connection closed.*up to event 2.*ended/),
      expect.stringMatching(/result after/),
    ])
    expect(await page.content()).not.toMatch(/hunter2/)
    expect(await page.content()).not.toContain(client.sessionId)
    await detail.getByRole('button', { name: /Replay stream p/ }).click()
    await detail.getByText('Ended with event 2.').waitFor()
    await picture(page, 'session')

    await detail.getByRole('button', { name: 'End session' }).click()
    const dialog = page.getByRole('dialog', { name: 'End the session of test 1?' })
    await page.keyboard.press('Escape')
    expect(await endpoint.sessions.get(await sessionKey(client.sessionId))).toBeDefined()
    await detail.getByRole('button', { name: 'End session' }).click()
    await picture(page, 'end')
    await dialog.getByRole('button', { name: 'End it' }).click()
    await page.getByText('This session has ended.').waitFor()
    expect((await client.call('ping')).status).toBe(404)
  })

  test('can be read on a phone, in the dark, and stands still when it is told to', async () => {
    const { endpoint, url } = await start({ park: () => new Promise(() => undefined) })
    const client = await openSession(endpoint)
    await client.read()
    await TestReader.open(await client.call('park', {}, 1))
    const page = await open(url, phone)
    await page.emulateMedia({ colorScheme: 'dark' })
    await picture(page, 'phone-list')
    await page.getByRole('link', { name: 'test 1' }).first().click()
    await page.getByRole('heading', { name: 'Streams' }).waitFor()
    await picture(page, 'phone-session')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(phone.width)
    // Whatever is pressed is large enough for a finger.
    const close = page.getByRole('link', { name: 'Close' })
    for (const button of [close, ...(await page.getByRole('button').all())]) {
      expect((await button.boundingBox())?.height ?? 44).toBeGreaterThanOrEqual(44)
    }
    // A session stands in place of the list, so that the Tab key goes from top to bottom.
    const list = page.getByRole('table', { name: 'Sessions of all nodes' })
    expect(await list.isVisible()).toBe(false)
    await close.click()
    await list.waitFor()
    await page.goBack()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('status').getByText('Paused').waitFor()
    const before = await page.locator('.happenings').last().textContent()
    await client.call('ping', {}, 2)
    expect(await page.locator('.happenings').last().textContent()).toBe(before)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('ping').first().waitFor()
  })

  test('says when the server does not answer, and is live again when it does', async () => {
    const { endpoint } = createTestEndpoint()
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    const answering = deferred()
    let isHung = false
    const allow = () => (isHung ? answering.promise.then(() => true) : true)
    const { origin } = await listen(toNodeHandler(inspector(endpoint, { allow })))
    const page = await browser().newPage()
    onTestFinished(() => page.close())
    await page.clock.install()
    await page.goto(origin)
    await page.getByRole('status').getByText('Live').waitFor()
    const asked = page.waitForRequest(() => isHung)
    isHung = true
    await asked
    await page.clock.fastForward(10_000)
    await page.getByRole('status').getByText('The server does not answer').waitFor()
    isHung = false
    answering.resolve()
    await page.getByRole('status').getByText('Live').waitFor()
  })

  test('says when the server refuses, with its reason', async () => {
    const { endpoint } = createTestEndpoint()
    let allowed = true
    const { origin } = await listen(toNodeHandler(inspector(endpoint, { allow: () => allowed })))
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    const page = await browser().newPage()
    onTestFinished(() => page.close())
    await page.goto(origin)
    await page.getByRole('status').getByText('Live').waitFor()
    allowed = false
    await page.getByRole('status').getByText('Not allowed').waitFor()
  })

  test(`with ${count(sessions)} sessions the first view is there at once, and what is live costs little`, async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessions: 20_000 })
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    await openMany(endpoint, sessions)
    // Each view is the first: an inspector of its own has read nothing yet.
    const looks: Look[] = []
    for (let i = 0; i < (isLong ? 9 : 1); i++) looks.push(await lookFirst(endpoint))
    const all = (what: keyof Look): string => looks.map((look) => Math.round(look[what])).join(', ')

    const { origin } = await listen(toNodeHandler(inspector(endpoint, { allow: () => true })))
    const page = await browser().newPage({ viewport: desktop })
    onTestFinished(() => page.close())
    await page.goto(`${origin}/inspector`)
    await page.getByRole('heading', { name: `Sessions: ${count(sessions)}` }).waitFor()
    await picture(page, 'many')
    const before = process.cpuUsage()
    const startedAt = performance.now()
    const answers: Response[] = []
    while (answers.length < (isLong ? 30 : 3)) answers.push(await page.waitForResponse(/\?view/))
    const share = cpuMs(before) / (performance.now() - startedAt)
    console.log(
      `${count(sessions)} sessions: first view after ${all('ms')} ms; CPU of the server ${all('serverMs')} ms, of the page ` +
        `${all('pageMs')} ms; live ${(100 * share).toFixed(1)} % of a core, with the test's own part`,
    )
    // Time, also of a processor, depends on who else runs here. What is sent and drawn does not.
    for (const answer of answers) expect((await answer.body()).byteLength).toBeLessThan(16_384)
    expect(await page.evaluate<number>("document.querySelectorAll('*').length")).toBeLessThan(2_000)
  })

  interface Look {
    readonly ms: number
    readonly serverMs: number
    readonly pageMs: number
  }

  async function lookFirst(endpoint: Endpoint): Promise<Look> {
    const { origin } = await listen(toNodeHandler(inspector(endpoint, { allow: () => true })))
    const page = await browser().newPage({ viewport: desktop })
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
    const before = process.cpuUsage()
    const startedAt = performance.now()
    await page.goto(`${origin}/inspector`)
    await page.getByRole('heading', { name: `Sessions: ${count(sessions)}` }).waitFor()
    const took = { ms: performance.now() - startedAt, serverMs: cpuMs(before) }
    const { metrics } = await devtools.send('Performance.getMetrics')
    await page.close()
    return { ...took, pageMs: 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) }
  }

  test('a tab that is left open keeps no more than its newest', async () => {
    const { endpoint, url } = await start({ add: () => ({ sum: 3 }) })
    const client = await openSession(endpoint)
    const page = await browser().newPage()
    onTestFinished(() => page.close())
    await page.clock.install()
    await page.goto(`${url}#session=${await sessionKey(client.sessionId)}`)
    await page.getByRole('heading', { name: 'Streams' }).waitFor()
    const devtools = await page.context().newCDPSession(page)
    let id = 0
    // As many answers as in `count` seconds, each with 20 calls.
    const pass = async (count: number): Promise<{ heap: number; nodes: number }> => {
      for (let i = 0; i < count; i++) {
        for (let n = 0; n < 20; n++) await client.call('add', { n }, id++)
        await nextView(page)
      }
      await devtools.send('HeapProfiler.collectGarbage')
      const { usedSize } = await devtools.send('Runtime.getHeapUsage')
      return { heap: usedSize, nodes: await page.evaluate<number>("document.querySelectorAll('*').length") }
    }
    // The browser itself holds a megabyte now and then, and lets go of it: what stays is the least of several looks.
    const least = async (count: number): Promise<{ heap: number; nodes: number }> => {
      const looks = [await pass(count)]
      while (looks.length < (isLong ? 12 : 6)) looks.push(await pass(1))
      return { heap: Math.min(...looks.map(({ heap }) => heap)), nodes: Math.max(...looks.map(({ nodes }) => nodes)) }
    }
    const filled = await least(26)
    const updates = isLong ? 300 : 20
    const later = await least(updates)
    console.log(
      `A tab left open: ${JSON.stringify(filled)} once full, ${JSON.stringify(later)} after ${updates} updates more`,
    )
    expect(later.nodes).toBeLessThan(1.05 * filled.nodes)
    expect(later.heap).toBeLessThan(1.2 * filled.heap)
  })
})

/** The page may not have begun to wait when its clock goes on: it goes on until the page asks. */
async function nextView(page: Page): Promise<void> {
  let isAnswered = false
  const answered = page.waitForResponse(/\?view/).then(() => {
    isAnswered = true
  })
  while (!isAnswered) await page.clock.runFor(1_000)
  await answered
}

async function openMany(endpoint: Endpoint, count: number): Promise<void> {
  for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: 100 }, () => openSession(endpoint)))
}

function count(of: number): string {
  return of.toLocaleString('en')
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
