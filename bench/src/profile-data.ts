// What the inspector gives, and sums of it.
export interface CallFrame {
  functionName: string
  url: string
  lineNumber: number
  columnNumber: number
}

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: CallFrame
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface HeapNode {
  readonly callFrame: CallFrame
  readonly selfSize: number
  readonly children: readonly HeapNode[]
}

/** Something that a call frame used: microseconds or bytes. */
export interface Cost {
  readonly frame: CallFrame
  readonly amount: number
}

/** Self time of each node; what was idle is left out. */
export function toCpuCosts({ nodes, samples, timeDeltas }: CpuProfile): Cost[] {
  const amounts = new Map<number, number>()
  for (const [index, id] of samples.entries()) amounts.set(id, (amounts.get(id) ?? 0) + (timeDeltas[index] ?? 0))
  return nodes
    .filter(({ callFrame }) => callFrame.functionName !== '(idle)')
    .map(({ id, callFrame }) => ({ frame: callFrame, amount: amounts.get(id) ?? 0 }))
}

/** Bytes allocated by each node. */
export function toHeapCosts({ callFrame, selfSize, children }: HeapNode): Cost[] {
  return [{ frame: callFrame, amount: selfSize }, ...children.flatMap(toHeapCosts)]
}

/** The package or module a frame belongs to: `zod`, `node:_http_server`, `@throughline/mcp-http-core`. */
export function packageOf({ url, functionName }: CallFrame): string {
  if (url.startsWith('node:')) return url
  // Pnpm's own folders come first in a path.
  const installed = url.split('node_modules/').at(-1)
  if (url.includes('node_modules/') && installed)
    return installed.split('/', installed.startsWith('@') ? 2 : 1).join('/')
  const own = /packages\/(\w+)\/src\//.exec(url)?.[1]
  if (own) return `@throughline/mcp-http-${own}`
  if (url.includes('/bench/')) return 'bench (tools and targets)'
  return functionName.startsWith('(') ? functionName : 'V8 builtins'
}

/** The source file of a frame of this repository; other packages as a whole. */
export function moduleOf(frame: CallFrame): string {
  return /packages\/\w+\/src\/.*/.exec(frame.url)?.[0] ?? packageOf(frame)
}

export function functionOf(frame: CallFrame): string {
  const name = moduleOf(frame)
  // Of an installed package the file is told too, without its folders.
  const file = frame.url.includes('node_modules/') ? `${name} ${frame.url.split('/').at(-1)}` : name
  const place = frame.url === '' ? name : `${file}:${frame.lineNumber + 1}`
  return `${frame.functionName || '(anonymous)'} · ${place}`
}

/** Sums by name, largest first, with each one's part of all. */
export function sumBy(
  costs: readonly Cost[],
  nameOf: (frame: CallFrame) => string,
): { name: string; amount: number; part: number }[] {
  const sums = new Map<string, number>()
  let total = 0
  for (const { frame, amount } of costs) {
    const name = nameOf(frame)
    sums.set(name, (sums.get(name) ?? 0) + amount)
    total += amount
  }
  return [...sums].map(([name, amount]) => ({ name, amount, part: amount / total })).sort((a, b) => b.amount - a.amount)
}
