/** A reference store with a defect, made to fail one requirement of the contract. */
export interface StoreDouble<Name extends string = StoreDefect> {
  readonly requirement: string
  /** The one rule that it breaks, by what it does instead. The store asks for it where it applies the rule. */
  readonly defect: Name
  /** Requirements that this defect cannot leave whole, each with the reason. */
  readonly alsoFails: Reasons
  /** The log of this one looks at the session's record. */
  readonly isJoined?: true
  /** Why no other check of the part can be judged: nothing works any more. */
  readonly spoilsAll?: string
}

type Reasons = Readonly<Record<string, string>>

function double<const Name extends string>(requirement: string, defect: Name, alsoFails: Reasons = {}) {
  return { requirement: `store/${requirement}`, defect, alsoFails } satisfies StoreDouble<Name>
}

function joined<const Name extends string>(requirement: string, defect: Name, alsoFails: Reasons = {}) {
  return { ...double(requirement, defect, alsoFails), isJoined: true } satisfies StoreDouble<Name>
}

function spoiler<const Name extends string>(requirement: string, defect: Name, spoilsAll: string) {
  return { requirement: `store/${requirement}`, defect, alsoFails: {}, spoilsAll } satisfies StoreDouble<Name>
}

const whatIsRead = 'whether it is gone is seen by reading it'
const whatIsRepeated = 'what is repeated expects the term before'
const whatIsAppendedAgain = 'a lost reply has it made again'
const whatIsInOrder = 'their order is looked at as well'
const whatIsEnded = 'leases are ended so there'
const whatIsNotHeard = 'nothing is heard after the first outage'
const whatIsPublished = 'what is published shows it'
const whatIsCut = 'nothing works after the first outage'

/** One for each requirement, in the order of the contract. */
const table = [
  double('sessions/create-adds-the-record', 'no-principal-is-text'),
  double('sessions/create-is-refused-when-the-key-exists', 'create-prefers-higher-terms'),
  double('sessions/create-is-atomic', 'create-looks-then-writes'),
  double('sessions/unknown-key-is-refused', 'delete-counts-what-never-was'),
  double('sessions/delete-removes', 'update-of-deleted-is-true'),
  double('sessions/delete-of-another-term-is-refused', 'delete-takes-any-term', {
    'store/sessions/delete-with-a-term-spares-the-next-owner': 'the next owner has another term',
  }),
  double('sessions/delete-with-the-term-removes', 'delete-expects-the-first-term', {
    'store/sessions/delete-with-a-term-spares-the-next-owner': 'the next owner has another term than the first',
  }),
  double('sessions/delete-with-a-term-spares-the-next-owner', 'delete-with-a-term-looks-then-deletes'),
  double('sessions/delete-is-atomic', 'delete-looks-then-deletes'),
  double('sessions/delete-leaves-others', 'delete-takes-globs', {
    'store/sessions/keys-are-opaque': 'it deletes keys with an asterisk too',
  }),
  double('sessions/deleted-can-be-created-anew', 'deleted-keys-stay-taken'),
  double('sessions/deleted-is-not-revived', 'update-writes-what-was-deleted'),
  double('sessions/keys-are-opaque', 'object-for-a-map'),
  double('sessions/keys-are-told-apart', 'keys-are-case-insensitive', {
    'store/sessions/is-in-the-database': 'it is there under another name',
  }),
  double('sessions/json-is-kept', 'empty-arrays-become-objects'),
  double('sessions/unicode-is-kept', 'text-is-normalised'),
  double('sessions/nul-and-lone-surrogates-are-kept', 'nul-is-left-out'),
  double('sessions/member-names-are-kept', 'members-are-assigned'),
  double('sessions/records-may-be-large', 'long-params-are-refused'),
  double('sessions/record-lives-for-its-ttl', 'ttl-rounded-down'),
  double('sessions/get-does-not-prolong', 'get-prolongs'),
  double('sessions/expired-is-not-read', 'get-gives-expired', {
    'store/sessions/get-does-not-prolong': whatIsRead,
    'store/sessions/expired-is-not-updated': whatIsRead,
    'store/sessions/expired-is-not-taken-over': whatIsRead,
    'store/sessions/refused-update-does-not-prolong': whatIsRead,
    'store/sessions/refused-take-over-does-not-prolong': whatIsRead,
    'store/sessions/refused-create-does-not-prolong': whatIsRead,
  }),
  double('sessions/expired-is-not-updated', 'update-revives-expired'),
  double('sessions/expired-is-not-taken-over', 'take-over-revives-expired'),
  double('sessions/expired-is-not-listed', 'list-gives-expired'),
  double('sessions/expired-is-not-there-to-delete', 'delete-counts-expired'),
  double('sessions/expired-can-be-created-anew', 'expired-keys-stay-taken'),
  double('sessions/update-prolongs', 'update-does-not-prolong'),
  double('sessions/take-over-prolongs', 'take-over-does-not-prolong'),
  double('sessions/refused-update-does-not-prolong', 'refused-update-prolongs'),
  double('sessions/refused-take-over-does-not-prolong', 'refused-take-over-prolongs'),
  double('sessions/refused-create-does-not-prolong', 'refused-create-prolongs'),
  double('sessions/update-changes-only-what-it-names', 'subscriptions-are-added-to'),
  double('sessions/update-can-clear', 'null-means-unchanged'),
  double('sessions/update-can-give-up-ownership', 'no-owner-means-unchanged', {
    'store/sessions/given-up-is-taken-over': 'nothing is given up',
  }),
  double('sessions/update-without-changes-is-accepted', 'empty-update-clears'),
  double('sessions/update-of-another-term-is-refused', 'term-zero-passes'),
  double('sessions/updates-at-once-all-count', 'update-looks-then-writes-all'),
  double('sessions/take-over-gives-the-next-term', 'take-over-by-the-owner-keeps-the-term', {
    'store/sessions/own-lease-does-not-hinder-take-over': 'the owner takes over there, too',
  }),
  double('sessions/take-over-is-atomic', 'take-over-looks-then-writes'),
  double('sessions/take-over-of-another-term-is-refused', 'take-over-expects-nothing', {
    'store/sessions/take-over-is-atomic': 'each of several at once succeeds',
    'store/sessions/refused-take-over-does-not-prolong': 'it is not refused',
    'store/sessions/take-over-may-be-repeated': whatIsRepeated,
    'store/sessions/lost-reply-of-take-over-may-be-repeated': whatIsRepeated,
  }),
  double('sessions/take-over-may-be-repeated', 'take-over-again-takes-again', {
    'store/sessions/lost-reply-of-take-over-may-be-repeated': 'a lost reply has it made again',
  }),
  double('sessions/old-owner-is-refused', 'terms-are-cached-by-node', {
    'store/sessions/owner-cut-off-is-fenced': 'its cache outlives the outage',
  }),
  double('sessions/take-over-loses-no-update', 'take-over-writes-the-whole-record'),
  double('sessions/is-seen-by-every-node', 'reads-are-cached-by-node'),
  double('sessions/unknown-node-has-no-lease', 'unknown-nodes-have-leases', {
    'store/sessions/neighbour-has-leases-of-its-own': 'the node is unknown there',
  }),
  double('sessions/lease-runs-for-its-time', 'leases-end-at-half-time'),
  double('sessions/lease-runs-out', 'leases-do-not-run-out', {
    'store/sessions/renewal-counts-from-now': 'what is sooner over runs out as well',
  }),
  double('sessions/renewal-prolongs-the-lease', 'renewal-waits-for-the-end', {
    'store/sessions/renewal-counts-from-now': 'the renewal does not count at all',
  }),
  double('sessions/renewal-counts-from-now', 'renewal-never-shortens'),
  double('sessions/renewal-with-zero-ends-the-lease', 'renewal-with-zero-is-ignored', {
    'store/sessions/renewal-tells-whether-the-lease-ran': whatIsEnded,
    'store/sessions/nodes-are-opaque': whatIsEnded,
    'store/sessions/nodes-are-told-apart': whatIsEnded,
    'store/sessions/lease-is-seen-by-every-node': whatIsEnded,
    'store/sessions/take-over-succeeds-once-the-lease-is-over': whatIsEnded,
  }),
  double('sessions/renewal-tells-whether-the-lease-ran', 'lease-once-begun-has-run'),
  double('sessions/nodes-are-opaque', 'hostile-nodes-are-left-out'),
  double('sessions/nodes-are-told-apart', 'nodes-are-case-insensitive'),
  double('sessions/leases-are-no-records', 'leases-are-listed'),
  double('sessions/lease-is-seen-by-every-node', 'leases-are-cached-by-node'),
  double('sessions/neighbour-has-leases-of-its-own', 'prefix-not-used-by-leases'),
  double('sessions/take-over-is-refused-while-the-lease-runs', 'leases-are-not-heeded', {
    'store/sessions/refused-take-over-does-not-prolong': 'it is not refused',
  }),
  double('sessions/take-over-succeeds-once-the-lease-is-over', 'lease-that-is-over-hinders'),
  double('sessions/own-lease-does-not-hinder-take-over', 'own-lease-hinders'),
  double('sessions/leases-of-others-do-not-hinder-take-over', 'any-lease-hinders'),
  double('sessions/given-up-is-taken-over', 'nobody-has-a-lease'),
  double('sessions/list-begins-empty', 'list-gives-a-placeholder', {
    'store/sessions/neighbour-is-apart': 'the neighbour begins empty too',
    'store/sessions/leases-are-no-records': 'there are no records there either',
  }),
  double('sessions/list-gives-every-record', 'list-stops-at-five-hundred'),
  double('sessions/list-gives-records-as-they-are', 'list-gives-records-as-created'),
  double('sessions/list-withstands-changes', 'list-walks-the-rows-as-they-change'),
  double('sessions/list-may-be-left-early', 'list-holds-its-connection'),
  double('sessions/neighbour-is-apart', 'prefix-not-used-by-sessions', {
    'store/sessions/neighbour-has-leases-of-its-own': 'what it takes over there is of another deployment',
  }),
  double('sessions/is-in-the-database', 'delete-only-marks'),
  double('sessions/outage-is-bounded', 'list-waits-for-ever'),
  double('sessions/outage-is-no-answer', 'outage-reads-as-nothing'),
  double('sessions/outage-is-bounded-for-leases', 'renewal-waits-for-ever', {
    'store/sessions/outage-says-nothing-of-leases': 'it renews a lease without the database, too',
  }),
  double('sessions/outage-says-nothing-of-leases', 'outage-reads-as-no-lease'),
  double('sessions/outage-is-survived', 'does-not-connect-again', {
    'store/sessions/owner-cut-off-is-fenced': whatIsCut,
  }),
  double('sessions/lost-reply-of-create-is-no-refusal', 'create-retries-blindly'),
  double('sessions/lost-reply-of-update-may-be-repeated', 'update-counts-changed-rows'),
  double('sessions/lost-reply-of-take-over-may-be-repeated', 'take-over-retry-gives-the-first-term'),
  double('sessions/owner-cut-off-is-fenced', 'rejected-updates-are-replayed'),

  double('events/append-is-read-back', 'notifications-are-messages'),
  double('events/appends-take-effect-in-order', 'appends-overtake-each-other'),
  double('events/events-of-one-append-are-in-order', 'batches-are-reversed', {
    'store/events/append-may-be-repeated': whatIsInOrder,
    'store/events/lost-reply-of-several-is-kept-once': whatIsInOrder,
  }),
  double('events/events-of-one-append-come-together', 'batches-are-taken-apart'),
  double('events/append-may-be-repeated', 'repeated-append-is-fenced', {
    'store/events/lost-reply-of-append-is-kept-once': whatIsAppendedAgain,
    'store/events/lost-reply-of-several-is-kept-once': whatIsAppendedAgain,
  }),
  double('events/reads-see-no-gap-while-appending', 'every-seventh-append-comes-late', {
    'store/events/fencing-holds-under-way': 'what comes late finds the newer term',
    'store/events/appends-publish-in-order': 'what comes late is published late',
  }),
  double('events/data-is-kept-byte-for-byte', 'data-is-written-anew'),
  double('events/events-may-be-large', 'long-data-is-cut'),
  double('events/ten-thousand-events-are-replayed', 'log-ends-at-five-thousand'),
  double('events/streams-are-apart', 'tags-are-case-insensitive'),
  double('events/sessions-are-apart', 'session-keys-are-trimmed'),
  double('events/session-and-stream-are-not-joined', 'key-and-tag-are-joined'),
  double('events/append-is-seen-by-every-node', 'unknown-streams-are-remembered'),
  double('events/unknown-stream-is-undefined', 'unknown-streams-are-empty', {
    'store/events/fencing-holds-for-every-stream': 'that nothing was written is seen by reading it',
    'store/events/fenced-append-of-several-writes-none': 'that nothing was written is seen by reading it',
  }),
  double('events/read-begins-after-the-cursor', 'cursor-beyond-the-head-starts-over'),
  double('events/read-keeps-to-the-limit', 'limit-zero-means-all'),
  double('events/limit-counts-events-of-the-stream', 'limit-counts-other-streams'),
  double('events/page-tells-the-head', 'head-of-the-page'),
  double('events/page-tells-the-end', 'end-of-the-page'),
  double('events/page-tells-the-request-ids', 'numeric-ids-become-numbers'),
  double('events/first-event-may-be-empty', 'empty-text-ends-the-stream'),
  double('events/last-event-may-be-empty', 'empty-ends-are-left-out'),
  double('events/delete-removes-every-stream', 'delete-takes-the-first-stream', {
    'store/events/is-in-the-database': 'what is left is in the database',
    'store/events/delete-with-the-term-removes-every-stream': 'there are two streams as well',
  }),
  double('events/append-after-delete-is-gone-or-anew', 'append-after-delete-is-fenced'),
  double('events/delete-needs-no-ownership', 'only-the-first-node-deletes'),
  double('events/delete-of-nothing-is-harmless', 'delete-of-nothing-rejects'),
  double('events/release-takes-nothing-away', 'release-drops-at-once'),
  double('events/stats-are-counts', 'stats-never-go-down'),
  double('events/neighbour-is-apart', 'prefix-not-used-by-events'),
  double('events/is-in-the-database', 'delete-only-hides'),
  double('events/from-changes-nothing-that-is-read', 'from-counts-in-the-stream', {
    'store/events/from-holds-across-terms': 'there are two streams as well',
  }),
  double('events/from-holds-across-terms', 'from-compares-numbers-alone'),
  double('events/from-may-name-what-was-dropped', 'from-must-be-there'),
  double('events/append-with-messages-keeps-events', 'published-appends-keep-the-last'),
  double('events/append-publishes-its-messages', 'appends-publish-nothing', {
    'store/events/published-is-readable': whatIsPublished,
    'store/events/appends-publish-in-order': whatIsPublished,
    'store/events/failed-append-publishes-nothing': whatIsPublished,
  }),
  double('events/published-is-readable', 'published-before-it-is-there', {
    'store/events/failed-append-publishes-nothing': 'nobody knows by then whether it fails',
  }),
  double('events/appends-publish-in-order', 'published-messages-overtake'),
  double('events/failed-append-publishes-nothing', 'failed-appends-publish'),
  joined('events/append-without-a-record-is-gone-or-goes-on', 'record-is-looked-for-once'),
  joined('events/append-after-expiry-is-gone-or-goes-on', 'log-takes-expired-records'),
  joined('events/gone-append-writes-nothing', 'gone-append-leaves-a-row'),
  double('events/log-lives-as-long-as-the-record', 'log-lives-for-its-first-ttl'),
  double('events/log-ends-with-the-record', 'log-outlives-its-record'),
  double('events/next-term-goes-on', 'head-keeps-its-first-term'),
  double('events/terms-may-be-skipped', 'terms-may-not-be-skipped'),
  double('events/lower-term-is-fenced', 'fenced-append-ends-the-stream'),
  double('events/fencing-holds-for-every-stream', 'fenced-by-stream', {
    'store/events/fencing-holds-under-way': 'the old owner writes to another stream',
    'store/events/fenced-append-writes-nothing': 'it begins another stream too',
    'store/events/fenced-append-of-several-writes-none': 'it begins another stream too',
  }),
  joined('events/taken-over-is-fenced-where-the-record-counts', 'record-does-not-fence', {
    'store/events/delete-after-a-takeover-heeds-the-record': 'who is not fenced deletes as one that was not succeeded',
  }),
  double('events/fencing-holds-under-way', 'fenced-under-way-is-written', {
    'store/events/owner-cut-off-is-fenced': 'it has appends under way too',
  }),
  double('events/delete-with-an-older-term-removes-nothing', 'log-delete-takes-any-term'),
  joined('events/delete-after-a-takeover-heeds-the-record', 'log-delete-asks-the-log-alone'),
  double('events/delete-with-the-term-removes-every-stream', 'log-delete-takes-its-own-term', {
    'store/events/delete-after-a-takeover-heeds-the-record': 'it leaves a stream without events',
  }),
  double('events/fenced-append-of-several-writes-none', 'newest-of-a-batch-is-fenced'),
  double('events/fenced-append-writes-nothing', 'fenced-append-leaves-a-row'),
  double('events/outage-is-bounded', 'delete-waits-for-ever'),
  double('events/outage-is-no-answer', 'outage-reads-as-unknown'),
  double('events/outage-is-survived', 'rejected-appends-come-later'),
  double('events/lost-reply-of-append-is-kept-once', 'repeated-append-is-written-twice', {
    'store/events/append-may-be-repeated': 'it is written twice whatever it is repeated for',
    'store/events/lost-reply-of-several-is-kept-once': 'one of several is written twice, too',
  }),
  double('events/lost-reply-of-several-is-kept-once', 'only-the-newest-is-known', {
    'store/events/append-may-be-repeated': 'of several the others are written twice, whatever they are repeated for',
  }),
  double('events/owner-cut-off-is-fenced', 'outage-lifts-the-fence'),
  double('events/budget-is-kept', 'budget-is-tripled'),
  double('events/newest-is-never-dropped', 'newest-progress-may-be-dropped'),
  double('events/settled-is-dropped-first', 'settling-is-not-heeded'),
  double('events/progress-is-dropped-first', 'notifications-before-progress'),
  double('events/notifications-are-dropped-next', 'messages-before-notifications'),
  double('events/oldest-are-dropped-first', 'younger-notifications-are-dropped'),
  double('events/dropped-is-missing-not-renumbered', 'dropped-are-renumbered', {
    'store/events/outage-is-survived': 'what was rejected leaves a gap as well',
  }),
  double('events/ended-streams-are-dropped-whole', 'ended-streams-are-dropped-by-the-event'),
  double('events/delivered-streams-are-dropped-first', 'delivery-is-not-heeded'),
  double('events/budget-is-per-session', 'budget-is-shared', {
    'store/events/ended-streams-are-dropped-whole': 'who pays for all pays with any event',
  }),

  spoiler('bus/publisher-hears-itself', 'publisher-is-left-out', 'most checks listen where they publish'),
  double('bus/every-subscriber-hears', 'only-two-listeners-hear'),
  double('bus/subscriptions-are-independent', 'listeners-are-a-set'),
  double('bus/messages-come-in-order', 'messages-overtake-each-other'),
  double('bus/messages-are-kept-byte-for-byte', 'empty-messages-are-dropped'),
  double('bus/messages-may-be-large', 'long-messages-are-refused'),
  double('bus/channels-are-opaque', 'channels-are-globs'),
  double('bus/channels-are-told-apart', 'channels-are-case-insensitive'),
  double('bus/publish-to-nobody-is-harmless', 'publish-to-nobody-rejects'),
  double('bus/unsubscribe-stops', 'unsubscribe-does-nothing', {
    'store/bus/unsubscribe-while-hearing': 'it does nothing then either',
  }),
  double('bus/unsubscribe-while-hearing', 'unsubscribe-is-ignored-while-hearing'),
  double('bus/unsubscribing-twice-harms-nobody', 'unsubscribing-twice-closes-the-channel'),
  double('bus/channel-can-be-subscribed-again', 'channels-close-for-good'),
  double('bus/reaches-every-node', 'messages-of-the-first-stay-there'),
  double('bus/order-holds-across-nodes', 'messages-of-others-overtake'),
  double('bus/neighbour-is-apart', 'prefix-not-used-by-bus'),
  double('bus/outage-is-bounded', 'subscribe-waits-for-ever'),
  double('bus/subscription-survives-an-outage', 'subscriptions-end-with-the-connection', {
    'store/bus/missed-is-called-after-an-outage': whatIsNotHeard,
    'store/bus/missed-comes-when-messages-are-heard-again': whatIsNotHeard,
  }),
  double('bus/missed-is-called-after-an-outage', 'missed-is-called-once'),
  double('bus/missed-reaches-every-subscription', 'missed-reaches-one-of-a-channel'),
  double('bus/missed-comes-when-messages-are-heard-again', 'missed-comes-too-early'),
  double('bus/missed-is-not-called-without-cause', 'missed-is-called-for-newcomers'),
]

/** What a store can do wrong here. */
export type StoreDefect = (typeof table)[number]['defect']

export const storeDoubles: readonly StoreDouble[] = table
