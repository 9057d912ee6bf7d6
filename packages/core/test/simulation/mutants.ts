import type { Sentence } from './database.ts'

/** Sentences whose breach the simulation does not notice, and why that is. */
export const unnoticed: Partial<Record<Sentence, string>> = {
  'append: progress goes before notifications and messages':
    'what a client misses is told in any case: the sentence says what it misses least gladly',
  'read: whether the stream ended':
    'a stream that is ended once more gets no second answer: those that it has are looked for',
  'takeOver: refused, it returns the record': 'a node that gets no record looks for the session again',
  'delete: only for the term given': 'an owner ends a session only where it has looked at its lease just before',
  'renewLease: with 0 it is over': 'the next owner comes when the lease is over: it costs time only',
  'outage: hasLease rejects': 'who takes a session over is asked again by the database',
  'bus: in order': 'words between nodes only say how far a stream has come',
}
