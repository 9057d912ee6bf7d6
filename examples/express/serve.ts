// The server of the tour in a process of its own, that can be killed: `serve.ts FILE_URL_OF_LISTEN PORT FILE`.
import { sqliteBackplane } from '@throughline/mcp-http-sqlite'

const [example = '', port, file = ''] = process.argv.slice(2)

const { listen, framework } = (await import(example)) as typeof import('./listen.ts')
const backplane = sqliteBackplane(file)
const served = await listen(Number(port), backplane)
process.send?.({ port: served.port, framework })

process.once('SIGTERM', async () => {
  await served.close()
  backplane.close()
  process.disconnect()
})
// Nobody else would end it.
process.once('disconnect', () => process.exit())
