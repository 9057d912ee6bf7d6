// What is known of a log stands in the hash `s`:
// - `<tag>`: "index id first flag requestIds", of the newest event of the stream, and the id of its first. Flags: o, it
//   runs; e, it ended; r, it ended and was delivered; d, its events were dropped.
// - `<tag>/<index>`: the event is settled. Tags have no slash.
// - `#b`: bytes that are kept; `#p`, `#n`, `#m`, `#s`: events, by kind, and settled ones. Kinds: p, progress; n,
//   notification; m, message.
// - `#E`, `#B`: how many events and bytes make trimming due, where that is not the budget.

/** Bytes that an event and a stream count beside their texts. */
const eventBytes = 64
const streamBytes = 100

/**
 * KEYS m l s r, ARGV term, maxEvents, maxBytes, how many messages, of each its channel and text, and of each event: id,
 * tag, index, kind, data, flag, requestIds. The first write is the XADD: a full database refuses all of it.
 */
export const append = `
local l, s = KEYS[2], KEYS[3]
local record = redis.call('HMGET', KEYS[1], 't', 'w')
if not record[1] then return 'gone' end
if tonumber(record[1]) > tonumber(ARGV[1]) then return 'fenced' end
local first = 5 + 2 * ARGV[4]
local known = redis.call('HMGET', s, ARGV[first + 1], '#E', '#B', '#b', '#p', '#n', '#m')
local streams, written = { [ARGV[first + 1]] = known[1] }, {}
local counts = { b = known[4] or 0, p = known[5] or 0, n = known[6] or 0, m = known[7] or 0 }
local isAdded, isNew
for at = first, #ARGV, 7 do
  local id, tag, index, kind, data, flag, ids = unpack(ARGV, at, at + 6)
  local event = { id, 's', tag, 'i', index, 'k', kind .. flag, 'd', data }
  local added = redis.pcall('XADD', l, 'NOMKSTREAM', unpack(event))
  if not added then
    if record[2] == ARGV[1] then return 'gone' end
    isNew = true
    counts = { b = 0, p = 0, n = 0, m = 0 }
    added = redis.pcall('XADD', l, unpack(event))
  end
  if type(added) == 'table' then
    if not string.find(added.err, 'equal or smaller', 1, true) then return added end
    local kept = redis.call('XRANGE', l, id, id)[1]
    if not (kept and kept[2][2] == tag and kept[2][4] == index and kept[2][8] == data) then return 'fenced' end
  else
    isAdded = true
    if streams[tag] == nil then streams[tag] = redis.call('HGET', s, tag) end
    if not streams[tag] then counts.b = counts.b + #ids + ${streamBytes} end
    local since = streams[tag] and string.match(streams[tag], '^%S+ %S+ (%S+)') or id
    streams[tag] = index .. ' ' .. id .. ' ' .. since .. ' ' .. flag .. ' ' .. ids
    written[tag] = streams[tag]
    counts.b = counts.b + #data + ${eventBytes}
    counts[kind] = counts[kind] + 1
  end
end
if not isAdded then return 'ok' end
if record[2] ~= ARGV[1] then redis.call('HSET', KEYS[1], 'w', ARGV[1]) end
if isNew then redis.call('HDEL', s, '#s') end
local fields = {}
for name, count in pairs(counts) do
  fields[#fields + 1] = '#' .. name
  fields[#fields + 1] = count
end
for tag, stream in pairs(written) do
  fields[#fields + 1] = tag
  fields[#fields + 1] = stream
end
redis.call('HSET', s, unpack(fields))
if isNew or not known[4] then
  local ttl = redis.call('PTTL', KEYS[1])
  redis.call('PEXPIRE', l, ttl)
  redis.call('PEXPIRE', s, ttl)
end
for at = 5, first - 1, 2 do redis.pcall('PUBLISH', ARGV[at], ARGV[at + 1]) end
local isOver = counts.b > tonumber(known[3] or ARGV[3]) or redis.call('XLEN', l) > tonumber(known[2] or ARGV[2])
return isOver and 'over' or 'ok'`

/** What dropping needs. The first write is one that a full database allows, or it would refuse those that follow. */
const dropping = `
local l, s, r = KEYS[2], KEYS[3], KEYS[4]
redis.call('HDEL', s, '')
local counts = {}
for name in string.gmatch('bpnms', '.') do
  counts[name] = tonumber(redis.call('HGET', s, '#' .. name) or '0')
end
local events = redis.call('XLEN', l)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function streamOf(tag)
  return string.match(redis.call('HGET', s, tag) or '', '^(%d+) (%S+) (%S+) (%a) (.*)$')
end
local function each(from, to, visit)
  repeat
    local page = redis.call('XRANGE', l, from, to, 'COUNT', 200)
    for _, entry in ipairs(page) do
      if visit(entry[1], entry[2]) then return end
    end
    if page[1] then from = '(' .. page[#page][1] end
  until #page < 200
end
local function drop(id, event)
  redis.call('XDEL', l, id)
  events = events - 1
  counts.b = counts.b - #event[8] - ${eventBytes}
  local kind = string.sub(event[6], 1, 1)
  counts[kind] = counts[kind] - 1
  if counts.s > 0 then counts.s = counts.s - redis.call('HDEL', s, event[2] .. '/' .. event[4]) end
end
-- It is remembered for a while that the stream was there.
local function flagStream(tag, flag)
  local index, id, first, _, ids = streamOf(tag)
  redis.call('HSET', s, tag, table.concat({ index, id, first, flag, ids }, ' '))
  redis.call('RPUSH', r, string.format('%.0f %s', now, tag))
end
local function dropStream(tag)
  local _, id, first, flag, ids = streamOf(tag)
  if flag == 'd' then
    redis.call('HDEL', s, tag)
    counts.b = counts.b - #ids - ${streamBytes}
  elseif flag == 'e' or flag == 'r' then
    each(first, id, function(at, event)
      if event[2] == tag then drop(at, event) end
    end)
    flagStream(tag, 'd')
  end
end
-- Streams that were delivered so long ago are dropped, and those that were dropped are forgotten.
local function expire(retainMs)
  repeat
    local at, tag = string.match(redis.call('LINDEX', r, 0) or '', '^(%d+) (.*)$')
    if not at or tonumber(at) > now - retainMs then return end
    redis.call('LPOP', r)
    dropStream(tag)
  until false
end
local function save()
  local ttl = redis.call('PTTL', s)
  if ttl < 0 then return end
  for name, count in pairs(counts) do redis.call('HSET', s, '#' .. name, math.max(0, count)) end
  redis.call('PEXPIRE', r, ttl)
end`

/** KEYS m l s r, ARGV retainMs, tag. */
export const release = `${dropping}
expire(tonumber(ARGV[1]))
local _, _, _, flag = streamOf(ARGV[2])
if flag == 'e' then flagStream(ARGV[2], 'r') end
save()`

/** KEYS m l s r, ARGV tag, index. */
export const settle = `${dropping}
local index = streamOf(ARGV[1])
if index and tonumber(index) >= tonumber(ARGV[2]) then
  counts.s = counts.s + redis.call('HSETNX', s, ARGV[1] .. '/' .. ARGV[2], '')
end
save()`

/**
 * KEYS m l s r, ARGV term, retainMs, maxEvents, maxBytes. Drops more than it must, and says from where on it is due
 * again: so most appends cost nothing of this.
 */
export const trim = `${dropping}
local newest = redis.call('XREVRANGE', l, '+', '-', 'COUNT', 1)[1]
local term = redis.call('HGET', KEYS[1], 't')
if not newest or not term or tonumber(term) > tonumber(ARGV[1]) then return end
local maxEvents, maxBytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local function isOver(factor)
  return events > factor * maxEvents or counts.b > factor * maxBytes
end
local function dropAll(factor, isLeft, isMeant)
  if not (isOver(factor) and isLeft()) then return end
  each('-', '+', function(id, event)
    if id ~= newest[1] and isMeant(event) then drop(id, event) end
    return not (isOver(factor) and isLeft())
  end)
end
expire(tonumber(ARGV[2]))
dropAll(0.95, function() return counts.s > 0 end, function(event)
  return redis.call('HEXISTS', s, event[2] .. '/' .. event[4]) == 1
end)
-- Those that are left were settled when they were not there any more.
if isOver(0.95) then counts.s = 0 end
for _, kind in ipairs({ 'p', 'n' }) do
  dropAll(0.95, function() return counts[kind] > 0 end, function(event)
    return string.sub(event[6], 1, 1) == kind
  end)
end
local streams = isOver(0.95) and redis.call('HGETALL', s) or {}
for _, flag in ipairs({ 'r', 'e', 'd' }) do
  local ended = {}
  for i = 1, #streams, 2 do
    local term, n, its = string.match(streams[i + 1], '^%d+ (%d+)%-(%d+) %S+ (%a) ')
    if its == flag and streams[i] ~= newest[2][2] then
      ended[#ended + 1] = { streams[i], term * 1e9 + n }
    end
  end
  table.sort(ended, function(a, b) return a[2] < b[2] end)
  for _, stream in ipairs(ended) do
    if isOver(0.95) then dropStream(stream[1]) end
  end
end
if isOver(2) then
  dropAll(1.9, function() return true end, function(event)
    local _, _, _, flag = streamOf(event[2])
    return flag == 'o'
  end)
end
local function dueAt(kept, max)
  return math.max(max, math.min(2 * max, math.floor(kept * 1.05)))
end
redis.call('HSET', s, '#E', dueAt(events, maxEvents), '#B', dueAt(counts.b, maxBytes))
save()`

/** KEYS m l s r, ARGV term or ''. Who began what is gone now finds that it is. */
export const remove = `
local term = redis.call('HGET', KEYS[1], 't')
if term and ARGV[1] ~= '' and tonumber(term) > tonumber(ARGV[1]) then return end
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
if term then redis.call('HSET', KEYS[1], 'w', term) end`
