export type { Adapter, BareAnswer, Route } from './adapter.ts'
export { type AdapterName, adapterNames, adapters, findAdapter, frameworks, parserNames } from './adapters.ts'
export { type Mounted, type MountOptions, mount } from './mount.ts'
export { type FixtureEra, fixtureEras, type RunningFixture, type StartOptions, startFixture } from './start.ts'
