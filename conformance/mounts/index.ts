export {
  type AdapterName,
  adapterNames,
  frameworkNames,
  type Mounted,
  type MountOptions,
  mount,
  parserNames,
} from './mounts.ts'
export { type RunningFixture, type StartOptions, startFixture } from './start.ts'
