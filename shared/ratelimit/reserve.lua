-- One request to the bucket of one egress: bucket.Decide in the same order.
-- Change both or neither; a test compares them step by step.
--
-- KEYS[1] the hash that holds the bucket (bucket.State.Record).
-- ARGV    reserve, interval, horizon, tolerance, cool, max_cool; what the process
--         remembers of its last answer: born, next, now, skew, elapsed; then cell
--         length, cells.
-- Lengths and instants are microseconds, exact in a double until the year 2255.
-- Returns verdict, wait, now, skew, next, born.
local reserve, interval, horizon = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local tolerance, in_cool, max_cool = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local in_born, in_next, in_now = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local in_skew, elapsed = tonumber(ARGV[10]), tonumber(ARGV[11])
local cell_length, cells = tonumber(ARGV[12]), tonumber(ARGV[13])

local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- A server that does not tell its run id answers with an error, not a string.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'none'

local s = redis.call('HMGET', KEYS[1], 'run', 'high', 'skew', 'next', 'turn', 'cool', 'born',
  'granted', 'refused', 'restarts')
-- What is not a plain number counts as missing.
local function number(i) return tonumber(string.match(s[i] or '', '^%-?%d+$') or '0') end
local high, skew, next_slot, turn, cool, born =
  number(2), number(3), number(4), number(5), number(6), number(7)

-- tostring would round an instant to fourteen digits.
local function text(n) return string.format('%.0f', n) end
local function reply(verdict, wait, now) return { verdict, wait, now, skew, next_slot, born } end

-- The bucket's time: see advance.
local known = in_born > 0 and in_born == born
local vouched = math.max(high, known and in_now + elapsed - math.max(0, skew - in_skew) or 0)
local now = clock - skew
if now < high then
  now = high
elseif now > vouched + tolerance then
  now = vouched
end
skew = clock - now

if s[1] ~= run or high <= 0 or next_slot <= 0
  or next_slot > now + horizon + interval
  or (known and next_slot < in_next) then
  now = clock
  cool = now + (high > 0 and math.max(cool - high, 0) or 0)
  next_slot = now + horizon + interval
  born, skew, turn = now, 0, 0
  redis.call('HSET', KEYS[1], 'run', run, 'born', text(born), 'restarts', text(number(10) + 1))
end

cool = math.min(math.max(cool, now + in_cool), now + max_cool)
local function keep(...)
  redis.call('HSET', KEYS[1], 'high', text(now), 'skew', text(skew), 'next', text(next_slot),
    'turn', text(turn), 'cool', text(cool), ...)
end

if not reserve then
  keep('born', text(born))
  return reply(2, 0, now)
end

local slot = math.max(next_slot, now, cool)
if slot - now > horizon then
  local again = math.min(math.max(turn, slot - horizon), now + horizon)
  turn = again + interval
  keep('refused', text(number(9) + 1))
  return reply(1, again - now, now)
end

next_slot = slot + interval
local last = clock + (slot - now)
local index = math.floor(last / cell_length)
local field = 'u' .. text(index % cells)
local count = string.match(redis.call('HGET', KEYS[1], field) or '', '^' .. text(index) .. ':(%d+)$') or '0'
keep('last', text(last), 'granted', text(number(8) + 1), field, text(index) .. ':' .. text(tonumber(count) + 1))
return reply(0, slot - now, now)
