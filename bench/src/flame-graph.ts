import { CustomChart, type CustomSeriesOption } from 'echarts/charts'
import { GridComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { type CallFrame, type CpuProfile, packageOf } from './profile-data.ts'

use([CustomChart, GridComponent, TitleComponent, SVGRenderer])

const width = 1_200
const rowHeight = 15
const top = 56

/** What is narrower is left out, with all that it called: a part of the whole. */
const leastPart = 0.002

/** Room for a character, in pixels: less than half a name says nothing. */
const characterWidth = 6

const colors = { ours: '#7fc8a9', sdk: '#9db7d9', zod: '#c9b6e4', runtime: '#d9d4c7', collector: '#e8a598' }

interface Frame {
  readonly frame: CallFrame
  readonly depth: number
  /** Microseconds, of all samples in order of the call tree. */
  readonly from: number
  readonly to: number
}

interface Tree {
  readonly frame: CallFrame
  total: number
  readonly children: Map<string, Tree>
}

/**
 * Where the processor's time went, by who called whom: each box is as wide as the time of a function with all that it
 * called. Idle time is left out.
 */
export function toFlameGraph(profile: CpuProfile, title: string): string {
  const tree = toTree(profile)
  const frames = toFrames(tree)
  const depth = Math.max(...frames.map((frame) => frame.depth)) + 1
  const height = top + depth * rowHeight + 8
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: {
      text: title,
      subtext: 'green: this repository · blue: the SDK · violet: zod · grey: Node and V8 · red: garbage collection',
      left: 8,
      top: 4,
      textStyle: { fontSize: 14 },
    },
    grid: { left: 8, right: 8, top, bottom: 8 },
    xAxis: { show: false, min: 0, max: tree.total },
    yAxis: { show: false, min: 0, max: depth, inverse: true },
    series: [toSeries(frames, tree.total)],
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function toSeries(frames: readonly Frame[], total: number): CustomSeriesOption {
  const data = frames.map(({ from, to, depth }) => [from, to, depth])
  return {
    type: 'custom',
    silent: true,
    data,
    renderItem: ({ dataIndex }, api) => {
      const { frame, from, to, depth } = frames[dataIndex] as Frame
      const [x = 0, y = 0] = api.coord([from, depth])
      const [end = 0] = api.coord([to, depth])
      const boxWidth = Math.max(end - x - 0.5, 0.5)
      const name = `${frame.functionName || '(anonymous)'} ${((100 * (to - from)) / total).toFixed(1)} %`
      const fits = Math.floor(boxWidth / characterWidth)
      const text = fits < Math.min(4, name.length) ? '' : name.slice(0, fits)
      return {
        type: 'rect',
        shape: { x, y, width: boxWidth, height: rowHeight - 1 },
        style: { fill: colorOf(frame) },
        textContent: { type: 'text', style: { text, fontSize: 10, fill: '#222' } },
        textConfig: { position: 'insideLeft', distance: 2 },
      }
    },
  }
}

/** V8 tells calls of one function from different lines apart: here they are one. */
function toTree({ nodes, samples, timeDeltas }: CpuProfile): Tree {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const [first] = nodes
  const root: Tree = { frame: (first as { callFrame: CallFrame }).callFrame, total: 0, children: new Map() }
  const places = new Map<number, readonly Tree[]>()
  const walk = (id: number, path: readonly Tree[]): void => {
    places.set(id, path)
    for (const child of byId.get(id)?.children ?? []) {
      const { callFrame } = byId.get(child) as { callFrame: CallFrame }
      const { children } = path[path.length - 1] as Tree
      const key = `${callFrame.functionName} ${callFrame.url}:${callFrame.lineNumber}`
      const tree = children.get(key) ?? { frame: callFrame, total: 0, children: new Map() }
      children.set(key, tree)
      walk(child, [...path, tree])
    }
  }
  if (first) walk(first.id, [root])
  for (const [index, id] of samples.entries()) {
    if (byId.get(id)?.callFrame.functionName === '(idle)') continue
    for (const tree of places.get(id) ?? []) tree.total += timeDeltas[index] ?? 0
  }
  return root
}

function toFrames(root: Tree): Frame[] {
  const frames: Frame[] = []
  const least = root.total * leastPart
  const place = ({ frame, total, children }: Tree, from: number, depth: number): void => {
    if (total < least) return
    frames.push({ frame, depth, from, to: from + total })
    let at = from
    for (const child of [...children.values()].sort((a, b) => b.total - a.total)) {
      place(child, at, depth + 1)
      at += child.total
    }
  }
  place(root, 0, 0)
  return frames
}

function colorOf(frame: CallFrame): string {
  if (frame.functionName === '(garbage collector)') return colors.collector
  const name = packageOf(frame)
  if (name.startsWith('@throughline/')) return colors.ours
  if (name.startsWith('@modelcontextprotocol/')) return colors.sdk
  return name === 'zod' ? colors.zod : colors.runtime
}
