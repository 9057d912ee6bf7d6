import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { listen } from '../../../test-support/listen.ts'
import type { InPage } from './in-page.ts'

/** A web app with the official clients, open in a page. */
export interface WebApp {
  readonly page: Page
  /** Has the page do one of the things it can do. */
  ask<Verb extends keyof InPage>(verb: Verb, ...args: Parameters<InPage[Verb]>): ReturnType<InPage[Verb]>
}

let bundled: Promise<string> | undefined

/** The script of the app, made once. */
function bundle(): Promise<string> {
  bundled ??= build({
    entryPoints: [fileURLToPath(new URL('in-page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'chrome123',
  }).then(({ outputFiles }) => outputFiles[0]?.text ?? '')
  return bundled
}

/** Serves a page at `host`, a name that leads to loopback. What it is served by ends with the test. */
export async function servePage(html: string, host = 'localhost'): Promise<string> {
  const script = await bundle()
  const { port } = await listen(
    createServer(({ url }, response) => {
      const isScript = url === '/app.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(isScript ? script : html)
    }),
  )
  return `http://${host}:${port}`
}

export const emptyHtml = '<!doctype html><title>Page</title><link rel="icon" href="data:,"><body>'

/** Where the web app is, before it is opened. */
export function serveWebApp(): Promise<string> {
  return servePage(`${emptyHtml}<script src="/app.js"></script>`)
}

/** A page, which goes with the test. */
export async function openPage(opener: Opener, url: string): Promise<Page> {
  const page = await opener.newPage()
  onTestFinished(() => page.close())
  await page.goto(url)
  return page
}

/** A browser, which has a profile of its own for each page, or one profile. */
export type Opener = Pick<Browser, 'newPage'>

export async function openWebApp(opener: Opener, origin: string): Promise<WebApp> {
  const page = await openPage(opener, origin)
  return {
    page,
    ask: (verb, ...args) =>
      page.evaluate(`inPage.${verb}(...${JSON.stringify(args)})`) as ReturnType<InPage[typeof verb]>,
  }
}
