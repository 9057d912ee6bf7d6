export type { Adapter, BareAnswer, Route } from './adapter.ts'
export { type AdapterName, adapterNames, adapters, findAdapter, frameworks, parserNames } from './adapters.ts'
export { backplaneForms, findBackplane } from './backplanes.ts'
export { type Mounted, type MountOptions, mount } from './mount.ts'
export {
  type FixtureEra,
  fixtureEras,
  type RunningFixture,
  type StartOptions,
  sharedOptions,
  startFixture,
} from './start.ts'
export { type OpenBackplane, type RunningNodes, type StartNodesOptions, startNodes } from './start-nodes.ts'
