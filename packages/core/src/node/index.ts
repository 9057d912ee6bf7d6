export {
  type ConnectRequest,
  type NodeHandler,
  type NodeRequestOptions,
  readReply,
  toNodeHandler,
  writeReply,
} from './node-handler.ts'
