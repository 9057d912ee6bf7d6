import { BarChart } from 'echarts/charts'
import { GridComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import type { Report } from './report.ts'

use([BarChart, GridComponent, TitleComponent, SVGRenderer])

const rowHeight = 24
const colors = { ours: '#1a7f5a', baseline: '#5b6b7b', peer: '#b8c1cc' }

/**
 * CPU time per call of each target in W1 as bars, cheapest on top. `undefined` without W1. The frameworks' own floors are
 * left to the table: nobody serves with them.
 */
export function toChart({ workloads, machine }: Report): string | undefined {
  const all = workloads.find(({ name }) => name === 'W1')?.rows ?? []
  const rows = all.filter(({ target }) => !target.startsWith('floor-'))
  if (rows.length === 0) return undefined
  const bars = rows
    .map((row): Bar => ({ name: row.target, value: row.figures.cpuUs?.median ?? 0, ratio: row.ratio?.median }))
    // The first category of a vertical axis is at the bottom.
    .sort((a, b) => b.value - a.value)
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 90 + bars.length * rowHeight })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: {
      text: 'Server CPU per tools/call, µs (and ÷ dispatch)',
      subtext: `64 sessions on 64 connections. ${machine.cpu}, Node ${machine.node}`,
      left: 12,
      top: 8,
      textStyle: { fontSize: 15 },
    },
    grid: { left: 140, right: 110, top: 66, bottom: 12 },
    xAxis: { type: 'value', show: false },
    yAxis: {
      type: 'category',
      data: bars.map(({ name }) => name),
      axisTick: { show: false },
      axisLine: { show: false },
    },
    series: [
      {
        type: 'bar',
        barWidth: 15,
        // Nothing to hover over in a picture: no style sheet for it either.
        silent: true,
        emphasis: { disabled: true },
        label: { show: true, position: 'right', color: '#333', formatter: toFormatter(bars) },
        data: bars.map(({ name, value }) => ({ value, itemStyle: { color: colorOf(name) } })),
      },
    ],
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

interface Bar {
  readonly name: string
  readonly value: number
  readonly ratio: number | undefined
}

function toFormatter(bars: readonly Bar[]): (shown: { dataIndex: number }) => string {
  return ({ dataIndex }) => toLabel(bars[dataIndex])
}

function toLabel(bar: Bar | undefined): string {
  if (!bar) return ''
  return `${Math.round(bar.value)}${bar.ratio === undefined ? '' : ` (${bar.ratio.toFixed(2)} ×)`}`
}

function colorOf(name: string): string {
  if (name.startsWith('ours')) return colors.ours
  return name.startsWith('floor') || name.startsWith('dispatch') ? colors.baseline : colors.peer
}
