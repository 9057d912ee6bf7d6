// Becomes src/tools/echo.ts.
import { z } from 'zod'

export const metadata = { name: 'echo', description: 'Returns a text' }

export const schema = { text: z.string().describe('What to return') }

// biome-ignore lint/style/noDefaultExport: it is what xmcp loads.
export default async function echo({ text }) {
  return text
}
