// The tools are the same in every target; what differs is how each library takes them.
import { z } from 'zod'

export const serverInfo = { name: 'bench', version: '1.0.0' }
export const capabilities = { tools: {}, logging: {} }

// Made once, as a server that is to be fast would: schemas and Ajv are most of what a session of the SDK weighs.
export const echoInput = z.object({ text: z.string() })
export const progressInput = z.object({ count: z.number().int(), pace: z.enum(['burst', 'paced']) })
export const parkInput = z.object({})

export const toContent = (text: string) => ({ content: [{ type: 'text' as const, text }] })
