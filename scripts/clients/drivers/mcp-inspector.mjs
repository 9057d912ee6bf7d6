import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { chromium } from 'playwright-core'

const program = 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'

/**
 * The page of @modelcontextprotocol/inspector 2.x, in a browser, as a person uses it. Its process wants a newer Node than
 * the oldest that this repository runs on. `setting` is its `--protocol-era`.
 */
export async function connect(url, { answer, setting }) {
  const inspector = await start(['--web', '--transport', 'http', '--server-url', url, '--protocol-era', setting])
  // Root has no sandbox; all that is opened is the inspector's page.
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } })
  const told = await listenToAlerts(page)
  await page.goto(inspector.url)
  // Its own label lies over it.
  await page.getByRole('switch', { name: /^Connect or disconnect/ }).click({ force: true })
  await page.getByText('Tools', { exact: true }).click()
  await page.getByRole('heading', { name: /^Tools \(\d+\)$/ }).waitFor()

  return {
    list: () => toolsOf(page).allTextContents(),
    async call(name, args, { onProgress } = {}) {
      told.heard = (text) => {
        const progress = /^Tool progress\D*(\d+) \/ /.exec(text)?.[1]
        if (progress) onProgress?.({ progress: Number(progress) })
      }
      await toolsOf(page)
        .and(page.getByRole('button', { name, exact: true }))
        .click()
      await fill(page, args)
      await page.getByRole('button', { name: 'Execute Tool' }).click()
      return { content: [{ type: 'text', text: await readResult(page, answer) }] }
    },
    async close() {
      await page.getByRole('button', { name: 'Disconnect from server' }).click()
      await page.getByText('Disconnected', { exact: true }).waitFor()
      await browser.close()
      inspector.stop()
    },
  }
}

/** Starts the inspector with ports and a home of its own, and resolves once it says where its page is. */
async function start(args) {
  const node = `node_modules/node-${process.platform}-${process.arch}/bin/node`
  const [page, sandbox, apps] = await Promise.all([findFreePort(), findFreePort(), findFreePort()])
  const ports = { CLIENT_PORT: page, MCP_SANDBOX_PORT: sandbox, MCP_APP_ORIGIN_PORT: apps }
  const env = { ...process.env, ...ports, HOME: resolve('home'), MCP_AUTO_OPEN_ENABLED: 'false' }
  const child = spawn(node, [program, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill())
  let text = ''
  const url = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      const found = /http:\S+MCP_INSPECTOR_API_TOKEN=\w+/.exec(text)?.[0]
      if (found) resolve(found)
    })
    child.once('close', () => reject(new Error(`Expected the inspector to say where its page is, got ${text}`)))
  })
  return { url, stop: () => child.kill() }
}

async function findFreePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return String(port)
}

/** Has the page tell of each alert that it shows, such as the progress of a call. */
async function listenToAlerts(page) {
  const told = { heard: () => undefined }
  await page.exposeFunction('told', (text) => told.heard(text))
  await page.addInitScript(() => {
    const shown = new Set()
    const look = () => {
      for (const { textContent: text } of document.querySelectorAll('[role=alert]')) {
        if (!shown.has(text)) globalThis.told(text)
        shown.add(text)
      }
    }
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true })
  })
  return told
}

/** The buttons of the list: each has the name of a tool as a paragraph. */
function toolsOf(page) {
  return page
    .getByRole('main')
    .getByRole('button')
    .filter({ has: page.locator('p') })
}

async function fill(within, values) {
  for (const [name, value] of Object.entries(values)) {
    await within.getByRole('textbox', { name, exact: true }).fill(String(value))
  }
}

/** What the page shows of a result, once what the tool asks on its way is answered. */
async function readResult(page, answer) {
  const heading = page.getByRole('heading', { name: 'Results' })
  const question = page.getByRole('dialog', { name: 'Elicitation Request' })
  await heading.or(question).first().waitFor()
  if (await question.isVisible()) {
    const { content } = await answer()
    await fill(question, content)
    await question.getByRole('button', { name: 'Submit' }).click()
    await heading.waitFor()
  }
  const text = await heading.locator('xpath=../../..').textContent()
  await page.getByRole('button', { name: 'Close results' }).click()
  return text.replace(/^Results\s*/, '').replace(/\s*⎘$/, '')
}
