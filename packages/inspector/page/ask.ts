import { type Command, commandHeader, type StreamPage, type View } from '../src/protocol.ts'

/** The server's answer. Throws with its reason when it refuses. */
async function ask<Answer>(query: Readonly<Record<string, string>>, init: RequestInit = {}): Promise<Answer> {
  const search = new URLSearchParams(query).toString()
  const response = await fetch(`${location.pathname}?${search}`, { ...init, cache: 'no-store' })
  const text = await response.text()
  if (!response.ok) throw new Error(reasonOf(text) ?? `The server answered ${response.status}`)
  try {
    return JSON.parse(text) as Answer
  } catch {
    // Its browser followed a redirect, to where one signs in.
    throw new Error('Expected JSON: load this page anew, to sign in where that is asked for')
  }
}

/** What is in front of the inspector may answer with anything. */
function reasonOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: string }).error
  } catch {
    return undefined
  }
}

export function askView(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<View> {
  return ask<View>({ view: '', ...query }, { signal })
}

export function askStream(session: string, stream: string, after: number): Promise<StreamPage> {
  return ask<StreamPage>({ session, stream, after: String(after) })
}

export function endSession(key: string): Promise<{ ended: boolean }> {
  const command: Command = { action: 'end', key }
  const headers = { 'content-type': 'application/json', [commandHeader]: '1' }
  return ask({}, { method: 'POST', headers, body: JSON.stringify(command) })
}
