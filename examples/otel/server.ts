/** The weather server of the tour: the same on every framework. */
export { buildServer } from '../express/server.ts'
