export { describeServer } from './describe-server.ts'
export type { Exclusion } from './exclusion.ts'
export type { RunningServer, ServerMount } from './server-mount.ts'
export { type DescribeStoreOptions, describeStore } from './store/describe-store.ts'
export {
  type FaultProxy,
  type FaultProxyOptions,
  type OpenStore,
  openFaultProxy,
  type StoreFaults,
  type StoreOptions,
  type StoreOracle,
  type StoreUnderTest,
} from './store/index.ts'
