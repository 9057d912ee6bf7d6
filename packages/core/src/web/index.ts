export { type FetchContext, type FetchHandler, toFetchHandler } from './fetch-handler.ts'
