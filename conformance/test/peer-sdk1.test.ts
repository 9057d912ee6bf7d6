import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningPeer } from '../peers/listen.ts'
import { startSdk1OnExpress } from '../peers/sdk1.ts'
import type { Report } from '../src/report.ts'
import { runConformance } from '../src/run-conformance.ts'

/** Rows of the catalogue that SDK 1.32.2 on Express was measured to fail, before there was this suite. */
const measured = `
  R011 R012 R013 R014 R017 R018 R032 R036 R037 R044 R045
  R048 R054 R055 R074 R098 R115 R126 R129 R130 R131 R132 R138 R197 R222
  R234 R258
`
  .trim()
  .split(/\s+/)

/*
 * Measured too, and not among them:
 * R020, R021, R023 say how an Origin is refused: this server refuses none, which is R011 to R018.
 * R029 the server listened on every interface, here it listens on loopback only.
 * R086 calls with falsy ids are closed early in this version.
 * R139 a forged event id brings nothing, which is to treat it as unknown. That it is not refused is R138.
 * R159 the map of sessions was a plain object; here, as in the SDK's own example, it is a Map.
 */

let peer: RunningPeer
let report: Report

beforeAll(async () => {
  peer = await startSdk1OnExpress()
  report = await runConformance({ url: peer.url, abuse: true })
}, 90_000)

afterAll(() => peer.close())

test('finds in SDK 1.32.2 what was measured before', () => {
  const unmet = report.results.filter(({ verdict }) => ['fail', 'warn', 'advice', 'info'].includes(verdict))
  const rows = new Set(unmet.flatMap((result) => result.rows))
  expect(measured.filter((row) => !rows.has(row))).toEqual([])
})

test('shows the evidence of each failure: what was sent and received, and lines of curl or the reason why there are none', () => {
  expect(report.incomplete).toBe('')
  for (const { id, verdict, message, transcript } of report.results) {
    if (!['fail', 'warn', 'advice', 'info'].includes(verdict)) continue
    expect(message, id).toMatch(/^(Expected|The |No )/)
    expect(transcript, id).toMatch(/ ms {2}[→←]/)
  }
})
