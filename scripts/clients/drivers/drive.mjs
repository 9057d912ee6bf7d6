// Drives one client against one server and prints a line of JSON for each feature it was asked to try: in a process of
// its own, in the folder that the client is installed in. `node drive.mjs DRIVER URL SETTING FEATURE…`
import { checks } from './checks.mjs'

const [driver, url, setting, ...features] = process.argv.slice(2)

/** Most time, in milliseconds, that one feature may take. */
const limitMs = 20_000
/** The same for the connection: a client may start programs for it, such as a browser. */
const connectLimitMs = 60_000

const heard = { count: 0 }
const hooks = {
  setting,
  features,
  answer: async () => ({ action: 'accept', content: { name: 'Ada' } }),
  changed: () => {
    heard.count++
  },
}

function print(feature, failure) {
  console.log(JSON.stringify({ feature, failure }))
}

/** The text of what went wrong; `undefined`: nothing. */
async function failureOf(work, ms = limitMs) {
  let timer
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Took longer than ${ms} ms`)), ms)
  })
  try {
    await Promise.race([work(), tooLate])
    return undefined
  } catch (error) {
    return describe(error)
  } finally {
    clearTimeout(timer)
  }
}

function describe(error) {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`
}

let client
const unconnected = await failureOf(async () => {
  const { connect } = await import(`./${driver}.mjs`)
  client = await connect(url, hooks)
}, connectLimitMs)
print('connect', unconnected)
if (!unconnected) {
  for (const feature of features) print(feature, await failureOf(() => checks[feature](toUse(client))))
  print('close', await failureOf(() => client.close()))
}
// Some clients keep a timer or a socket.
process.exit(0)

/** The client as the checks see it: a call gives a text, or throws. */
function toUse({ list, call }) {
  return {
    list,
    heard,
    async call(name, args = {}, options) {
      const { content, isError } = await call(name, args, options)
      const text = content.map((part) => part.text).join('')
      if (isError) throw new Error(text)
      return text
    },
  }
}
