export { type FetchContext, type FetchHandler, toFetchHandler, toReadableStream } from './fetch-handler.ts'
