// A full database refuses what makes it grow, but not within a script that has changed something before. So those that
// go on with what is there begin with PEXPIRE: sessions are prolonged, taken over and ended in a full database as well.

/** Fields of `m` that make a record: `t`, its term, `r`, what is written once, and the changing ones. */
export const recordFields = ['t', 'r', 'o', 'i', 'l', 's'] as const

/** KEYS m l s r, ARGV ttl, then fields of `m`, the first of which names the call. */
export const create = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] and 1 or 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
return 1`

/** KEYS m l s r, ARGV term, ttl, then fields of `m`. */
export const update = `
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then return 0 end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
if ARGV[3] then redis.call('HSET', KEYS[1], unpack(ARGV, 3)) end
return 1`

/** KEYS m l s r, ARGV expected term, owner, next term, ttl, an owner without a lease. Owners as JSON. */
export const takeOver = `
local record = redis.call('HMGET', KEYS[1], '${recordFields.join("', '")}')
local owner = record[3]
if record[1] == ARGV[1] and (not owner or owner == '""' or owner == ARGV[2] or owner == ARGV[5]) then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
  redis.call('HSET', KEYS[1], 't', ARGV[3], 'o', ARGV[2])
  record[1], record[3] = ARGV[3], ARGV[2]
end
return record`

/** KEYS m l s r, ARGV term or ''. */
export const remove = `
local term = redis.call('HGET', KEYS[1], 't')
if not term or (ARGV[1] ~= '' and term ~= ARGV[1]) then return 0 end
redis.call('UNLINK', unpack(KEYS))
return 1`

/** KEYS lease, ARGV milliseconds. */
export const renewLease = `
if ARGV[1] == '0' then return redis.call('DEL', KEYS[1]) end
local ran = redis.call('PEXPIRE', KEYS[1], ARGV[1])
if ran == 0 then redis.call('SET', KEYS[1], '', 'PX', ARGV[1]) end
return ran`
