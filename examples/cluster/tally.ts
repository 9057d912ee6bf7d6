/** What clients saw, all together. */
export class Tally {
  calls = 0
  answered = 0
  /** Answered with an error because the node that ran them, or the one that was asked, died. */
  died = 0
  /** Answered with anything else than they should have been, or never. */
  readonly otherwise: string[] = []
  longestMs = 0
  events = 0
  lost = 0
  doubled = 0

  /** Events of one run, with the numbers that came; `expected` are those that had to. */
  count(came: readonly number[], expected: readonly number[]): void {
    const numbers = new Set(came)
    this.events += numbers.size
    this.doubled += came.length - numbers.size
    this.lost += expected.filter((number) => !numbers.has(number)).length
  }

  get isClean(): boolean {
    return this.answered > 0 && this.otherwise.length === 0 && this.lost === 0 && this.doubled === 0
  }

  toTable(): string {
    const rows: [string, number | string][] = [
      ['calls', this.calls],
      ['answered', this.answered],
      ['answered with an error, because their node died', this.died],
      ['answered otherwise, or never', this.otherwise.length],
      ['longest wait', `${(this.longestMs / 1_000).toFixed(1)} s`],
      ['events received', this.events],
      ['events lost', this.lost],
      ['events doubled', this.doubled],
    ]
    const lines = rows.map(([name, value]) => `${name.padEnd(50)}${String(value).padStart(8)}`)
    return [...lines, ...this.otherwise.slice(0, 10).map((what) => `  ${what}`)].join('\n')
  }
}
