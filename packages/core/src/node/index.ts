export {
  type ConnectRequest,
  type NodeContext,
  type NodeHandler,
  type NodeHandlerOptions,
  type NodeResponse,
  readReply,
  toNodeHandler,
  writeReply,
} from './node-handler.ts'
export { onClose } from './on-close.ts'
export { toReadable } from './to-readable.ts'
