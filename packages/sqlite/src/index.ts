export { type SqliteBackplane, type SqliteBackplaneOptions, sqliteBackplane } from './sqlite-backplane.ts'
