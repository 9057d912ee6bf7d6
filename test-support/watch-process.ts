import { onTestFinished, vi } from 'vitest'

/** Collects what a process must never see or print while a test runs. */
export function watchProcess(): { readonly faults: readonly unknown[] } {
  const faults: unknown[] = []
  const onFault = (fault: unknown): void => {
    faults.push(fault)
  }
  const names = ['unhandledRejection', 'uncaughtException', 'warning'] as const
  for (const name of names) process.on(name, onFault)
  const printed = (['log', 'info', 'warn', 'error'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(onFault),
  )
  onTestFinished(() => {
    for (const name of names) process.off(name, onFault)
    for (const spy of printed) spy.mockRestore()
  })
  return { faults }
}
