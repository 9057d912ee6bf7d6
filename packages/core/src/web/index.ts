export {
  type FetchContext,
  type FetchHandler,
  type FetchHandlerOptions,
  toFetchHandler,
  toReadableStream,
} from './fetch-handler.ts'
