export type { PostgresClient, PostgresTransaction } from './client/postgres-client.ts'
export { type PostgresBackplane, type PostgresBackplaneOptions, postgresBackplane } from './postgres-backplane.ts'
export { type CreateTablesOptions, createTables } from './tables/create-tables.ts'
