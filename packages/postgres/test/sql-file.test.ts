import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { toSchema } from '../src/tables/schema.ts'

test('the file for psql makes what createTables() makes', async () => {
  // `npx vitest run packages/postgres/test/sql-file.test.ts -u` writes it anew.
  await expect(toSchema('mcp')).toMatchFileSnapshot(fileURLToPath(new URL('../sql/tables.sql', import.meta.url)))
})
