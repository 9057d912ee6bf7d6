// What is known of a log stands in the hash `s`:
// - `<tag>`: "index id first flag requestIds" of the newest event of the stream and the id of its first. Flags: o, it runs;
//   e, it ended; r, it ended and was delivered; d, its events were dropped.
// - `<tag>/<index>`: the event is settled. Tags have no slash.
// - `#`: "bytes progress notifications settled maxEvents maxBytes": what is kept, and how much makes trimming worth while.

/** Bytes that an event and a stream count beside their texts. */
const eventBytes = 64
const streamBytes = 100

const state = String.raw`
local l, s = KEYS[2], KEYS[3]
local function streamOf(tag)
  return string.match(redis.call('HGET', s, tag) or '', '^(%d+) (%S+) (%S+) (%a) (.*)$')
end
local function countsOf(text)
  local counts = {}
  for count in string.gmatch(text, '%d+') do counts[#counts + 1] = tonumber(count) end
  return counts
end
local function save(counts)
  for i, count in ipairs(counts) do counts[i] = string.format('%.0f', math.max(0, count)) end
  redis.call('HSET', s, '#', table.concat(counts, ' '))
end`

/**
 * KEYS m l s r, ARGV term, id, tag, index, kind, data, flag, requestIds, maxEvents, maxBytes. The first write is the
 * XADD: a full database refuses all of it. Kinds: p, n, m.
 */
export const append = `${state}
local id, tag, kind = ARGV[2], ARGV[3], ARGV[5]
local record = redis.call('HMGET', KEYS[1], 't', 'w')
if not record[1] then return 'gone' end
if tonumber(record[1]) > tonumber(ARGV[1]) then return 'fenced' end
local event = { id, 's', tag, 'i', ARGV[4], 'k', kind .. ARGV[7], 'd', ARGV[6] }
local added = redis.pcall('XADD', l, 'NOMKSTREAM', unpack(event))
local isNew = not added
if isNew then
  if record[2] == ARGV[1] then return 'gone' end
  added = redis.pcall('XADD', l, unpack(event))
end
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'equal or smaller', 1, true) then return added end
  local kept = redis.call('XRANGE', l, id, id)[1]
  local isSame = kept and kept[2][2] == tag and kept[2][4] == ARGV[4] and kept[2][8] == ARGV[6]
  return isSame and 'ok' or 'fenced'
end
if record[2] ~= ARGV[1] then redis.call('HSET', KEYS[1], 'w', ARGV[1]) end
local known = redis.call('HMGET', s, tag, '#')
local first = known[1] and string.match(known[1], '^%S+ %S+ (%S+)') or id
local counts = countsOf(not isNew and known[2] or '0 0 0 0 ' .. ARGV[9] .. ' ' .. ARGV[10])
counts[1] = counts[1] + #ARGV[6] + ${eventBytes} + (known[1] and 0 or #ARGV[8] + ${streamBytes})
if kind == 'p' then counts[2] = counts[2] + 1 elseif kind == 'n' then counts[3] = counts[3] + 1 end
redis.call('HSET', s, tag, table.concat({ ARGV[4], id, first, ARGV[7], ARGV[8] }, ' '))
local isOver = counts[1] > counts[6] or redis.call('XLEN', l) > counts[5]
save(counts)
if isNew or not known[2] then
  local ttl = redis.call('PTTL', KEYS[1])
  redis.call('PEXPIRE', l, ttl)
  redis.call('PEXPIRE', s, ttl)
end
return isOver and 'over' or 'ok'`

/**
 * What dropping needs. The first write is one that a full database allows, so that it does not refuse those that
 * follow; entries go before anything is written down.
 */
const dropping = `${state}
local r = KEYS[4]
redis.call('HDEL', s, '')
local text = redis.call('HGET', s, '#')
if not text then return end
local counts = countsOf(text)
local events = redis.call('XLEN', l)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
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
  counts[1] = counts[1] - #event[8] - ${eventBytes}
  local kind = string.sub(event[6], 1, 1)
  if kind == 'p' then counts[2] = counts[2] - 1 elseif kind == 'n' then counts[3] = counts[3] - 1 end
  if counts[4] > 0 then counts[4] = counts[4] - redis.call('HDEL', s, event[2] .. '/' .. event[4]) end
end
local function dropStream(tag)
  local index, id, first, flag, ids = streamOf(tag)
  if flag ~= 'e' and flag ~= 'r' then return end
  each(first, id, function(at, event)
    if event[2] == tag then drop(at, event) end
  end)
  redis.call('HSET', s, tag, table.concat({ index, id, id, 'd', ids }, ' '))
  redis.call('RPUSH', r, string.format('%.0f', now) .. ' ' .. tag)
end
local function forget(tag, ids)
  redis.call('HDEL', s, tag)
  counts[1] = counts[1] - #ids - ${streamBytes}
end
-- Streams that were delivered so long ago are dropped, and what is left of those that were dropped is forgotten.
local function expire(retainMs)
  repeat
    local at, tag = string.match(redis.call('LINDEX', r, 0) or '', '^(%d+) (.*)$')
    if not at or tonumber(at) > now - retainMs then return end
    redis.call('LPOP', r)
    local index, _, _, flag, ids = streamOf(tag)
    if flag == 'd' then forget(tag, ids) else dropStream(tag) end
  until false
end
local function close()
  save(counts)
  local ttl = redis.call('PTTL', s)
  if ttl > 0 then redis.call('PEXPIRE', r, ttl) end
end`

/** KEYS m l s r, ARGV retainMs, tag. */
export const release = `${dropping}
expire(tonumber(ARGV[1]))
local index, id, first, flag, ids = streamOf(ARGV[2])
if flag == 'e' then
  redis.call('HSET', s, ARGV[2], table.concat({ index, id, first, 'r', ids }, ' '))
  redis.call('RPUSH', r, string.format('%.0f', now) .. ' ' .. ARGV[2])
end
close()`

/** KEYS m l s r, ARGV tag, index. */
export const settle = `${dropping}
local index = streamOf(ARGV[1])
if index and tonumber(index) >= tonumber(ARGV[2]) then
  counts[4] = counts[4] + redis.call('HSETNX', s, ARGV[1] .. '/' .. ARGV[2], '')
  close()
end`

/**
 * KEYS m l s r, ARGV term, retainMs, maxEvents, maxBytes. Drops a tenth more than it must, and says from where on it is
 * worth while again: so most appends cost nothing of this.
 */
export const trim = `${dropping}
if tonumber(redis.call('HGET', KEYS[1], 't') or '0') > tonumber(ARGV[1]) then return end
expire(tonumber(ARGV[2]))
local maxEvents, maxBytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local newest = redis.call('XREVRANGE', l, '+', '-', 'COUNT', 1)[1]
if not newest then return close() end
local function isOver(factor)
  return events > factor * maxEvents or counts[1] > factor * maxBytes
end
local function dropAll(factor, isLeft, isMeant)
  if not (isOver(factor) and isLeft()) then return end
  each('-', '+', function(id, event)
    if id ~= newest[1] and isMeant(event) then drop(id, event) end
    return not (isOver(factor) and isLeft())
  end)
end
dropAll(0.9, function() return counts[4] > 0 end, function(event)
  return redis.call('HEXISTS', s, event[2] .. '/' .. event[4]) == 1
end)
for i, kind in ipairs({ 'p', 'n' }) do
  dropAll(0.9, function() return counts[i + 1] > 0 end, function(event)
    return string.sub(event[6], 1, 1) == kind
  end)
end
if isOver(0.9) then
  local ended, all = {}, redis.call('HGETALL', s)
  for i = 1, #all, 2 do
    local term, n, flag = string.match(all[i + 1], '^%d+ (%d+)%-(%d+) %S+ ([er]) ')
    if flag and all[i] ~= newest[2][2] then
      ended[#ended + 1] = { all[i], flag == 'r' and 0 or 1, tonumber(term), tonumber(n) }
    end
  end
  table.sort(ended, function(a, b)
    for i = 2, 4 do
      if a[i] ~= b[i] then return a[i] < b[i] end
    end
    return false
  end)
  for _, stream in ipairs(ended) do
    if not isOver(0.9) then break end
    dropStream(stream[1])
  end
  if isOver(0.9) then expire(-1) end
end
if isOver(2) then
  dropAll(1.8, function() return true end, function(event)
    local _, _, _, flag = streamOf(event[2])
    return flag == 'o'
  end)
end
counts[5] = math.max(maxEvents, math.min(2 * maxEvents, math.floor(events * 1.05)))
counts[6] = math.max(maxBytes, math.min(2 * maxBytes, math.floor(counts[1] * 1.05)))
close()`

/** KEYS m l s r, ARGV term or ''. Who began what is gone now finds that it is. */
export const remove = `
local term = redis.call('HGET', KEYS[1], 't')
if term and ARGV[1] ~= '' and tonumber(term) > tonumber(ARGV[1]) then return end
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
if term then redis.call('HSET', KEYS[1], 'w', term) end`
