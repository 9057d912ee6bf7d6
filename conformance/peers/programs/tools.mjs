// Is beside every program here, in the folder where its packages are.
import { setTimeout as sleep } from 'node:timers/promises'

/** Reports progress three times, 100 ms apart, and returns what a tool answers with. */
export async function countUp(report) {
  for (let progress = 1; progress <= 3; progress++) {
    await report(progress)
    await sleep(100)
  }
  return 'counted to 3'
}

export async function waitFor(ms) {
  await sleep(ms)
  return `waited ${ms} ms`
}
