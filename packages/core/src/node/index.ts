export {
  type ConnectRequest,
  type NodeHandler,
  type NodeRequestOptions,
  type NodeResponse,
  readReply,
  toNodeHandler,
  writeReply,
} from './node-handler.ts'
export { onClose } from './on-close.ts'
export { toReadable } from './to-readable.ts'
