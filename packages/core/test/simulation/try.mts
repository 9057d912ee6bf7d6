import '/work/agents/sim/packages/core/test/simulation/virtual-time.ts'
import { runWorld } from '/work/agents/sim/packages/core/test/simulation/world.ts'
const from = Number(process.argv[2] ?? 1), count = Number(process.argv[3] ?? 10)
setImmediate(() => {
  const t = performance.now(); let sessions=0, steps=0, bad=0; const rules={}; const sum={}
  for (let seed=from; seed<from+count; seed++) {
    const o = runWorld({ seed, broken: process.env.BROKEN, trace: process.env.TRACE ? console.log : undefined })
    sessions+=o.sessions; steps+=o.steps
    for (const k of ['appends','delivered','takeovers','gaps']) sum[k]=(sum[k]??0)+o[k]
    for (const k in o.outcomes) sum[k]=(sum[k]??0)+o.outcomes[k]
    if (o.violations.length) { bad++; if(bad<15) console.log(seed, o.violations.slice(0,2)); const r=o.violations[0]; const k=r.rule+(r.inStore?' (store)':''); rules[k]=(rules[k]??0)+1 }
  }
  const s=(performance.now()-t)/1000
  console.log({count,sessions,steps,bad,rules,sum,perS:sessions/s,stepsPerS:steps/s,s})
})
