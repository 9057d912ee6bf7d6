// Opens the file that it is given, keeps a session there, and says what came of it. With a second one it opens that first,
// as root, and then is nobody.
import { sqliteBackplane } from '../src/index.ts'
import { toRecord, ttlMs } from './records.ts'

async function open(file: string): Promise<string> {
  try {
    const backplane = sqliteBackplane(file)
    await backplane.sessions.create(toRecord(`${process.pid}`), ttlMs)
    backplane.close()
    return 'opened'
  } catch (error) {
    return (error as Error).message
  }
}

const [, , file = '', first] = process.argv
if (first !== undefined) {
  await open(first)
  process.setgid?.(65_534)
  process.setuid?.(65_534)
}
process.send?.(await open(file))
process.disconnect()
