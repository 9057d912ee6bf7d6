import { describe, expect, test } from 'vitest'
import { Transcript } from '../src/client/transcript.ts'

const conceal = (secrets: Record<string, string>, text: string) =>
  new Transcript(new Map(Object.entries(secrets))).conceal(text)

describe('secrets in a transcript', () => {
  const long = { 'my.long+token/1==': '$TOKEN' }

  test.each([
    ['Authorization: Bearer my.long+token/1== | Accept: */*', 'Authorization: Bearer $TOKEN | Accept: */*'],
    ["-H 'Authorization: Bearer my.long+token/1=='", "-H 'Authorization: Bearer $TOKEN'"],
    ['{"error":"my.long+token/1== has expired"}', '{"error":"$TOKEN has expired"}'],
    [String.raw`"\nmy.long+token/1==\r\n"`, String.raw`"\n$TOKEN\r\n"`],
    ['?q=%22my.long+token/1==', '?q=%22$TOKEN'],
    ['no-my.long+token/1==', 'no-my.long+token/1=='],
  ])('are replaced as a whole: %s', (text, concealed) => {
    expect(conceal(long, text)).toBe(concealed)
  })

  test('that are words of a sentence are replaced only where a value stands', () => {
    const sent = '→ #1 POST /mcp Authorization: Bearer a | X-Debug: true | Accept: a/b {"a":"a","ok":true,"b":"a b"}'
    expect(conceal({ a: '$TOKEN', true: '$X_DEBUG' }, sent)).toBe(
      '→ #1 POST /mcp Authorization: Bearer $TOKEN | X-Debug: $X_DEBUG | Accept: a/b {"$TOKEN":"$TOKEN","ok":true,"b":"a b"}',
    )
    expect(conceal({ a: '$TOKEN' }, 'Expected a tool that has an answer, got a: a session')).toBe(
      'Expected a tool that has an answer, got a: a session',
    )
    expect(conceal({ a: '$TOKEN' }, '?access_token=a&b=ab')).toBe('?access_token=$TOKEN&b=ab')
  })

  test('that begin with one another are told apart', () => {
    const secrets = { 'token-of-alice': '$TOKEN', 'token-of-alice-2': '$OTHER_TOKEN' }
    expect(conceal(secrets, 'token-of-alice-2, token-of-alice')).toBe('$OTHER_TOKEN, $TOKEN')
  })

  test('leave their names as they are, whatever these hold', () => {
    expect(conceal({ 'long-enough-secret': '$&' }, 'long-enough-secret')).toBe('$&')
  })
})
