// Described by describe-server.test.ts: what vitest is told of it is what is tested.
import { openReferenceStore } from '../../doubles/store/reference-store.ts'
import { describeStore } from '../../src/store/describe-store.ts'

const open = () => openReferenceStore({ defect: 'deleted-keys-stay-taken' })

describeStore('a store', open, {
  exclude: [
    { id: 'store/sessions/deleted-can-be-created-anew', reason: 'its database keeps what was deleted' },
    { id: 'store/sessions/create-adds-the-record', reason: 'it was so last year' },
  ],
})

describeStore('a session store', async () => {
  const { backplane, ...store } = await open()
  return { ...store, backplane: backplane.sessions ? { sessions: backplane.sessions } : {} }
})

describeStore('named parts', open, { parts: ['bus'] })

describeStore('a store that cannot be opened', () => {
  throw new Error('there is no database')
})
