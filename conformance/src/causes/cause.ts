/** A mistake of a server, which may fail many requirements. */
export interface Cause {
  /** What is wrong, in a few words. */
  readonly name: string
  /** What to change on the server, in one sentence. */
  readonly advice: string
  /** What it can fail: ids, or beginnings of ids that end in a slash. */
  readonly explains: readonly string[]
  /** Only where the message of the failure fits. */
  readonly message?: RegExp
  /** Only where one of these is not met either: what else it explains has another cause then. */
  readonly shownBy?: Sign
}

export interface Sign {
  readonly ids: readonly string[]
  /** Only where the message of that failure fits. */
  readonly message?: RegExp
}
