export { type ConnectRequest, type NodeHandler, type NodeRequestOptions, toNodeHandler } from './node-handler.ts'
