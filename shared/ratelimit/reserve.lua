-- One request to the bucket of one egress: bucket.Decide in the same order.
-- Change both or neither; a test compares them step by step.
--
-- KEYS[1] the hash that holds the bucket (bucket.State.Record).
-- ARGV    reserve, interval, horizon, cool, max_cool, then what the process
--         remembers of its last answer: born, next, now, elapsed, doubt; then
--         tolerance, drift share, cell length, cells.
-- Lengths and instants are microseconds, exact in a double until the year 2255.
-- Returns verdict, wait, now, next, born.
local reserve, interval, horizon = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local in_cool, max_cool = tonumber(ARGV[4]), tonumber(ARGV[5])
local in_born, in_next, in_now = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local elapsed, doubt = tonumber(ARGV[9]), ARGV[10] == '1'
local tolerance, drift = tonumber(ARGV[11]), tonumber(ARGV[12])
local cell_length, cells = tonumber(ARGV[13]), tonumber(ARGV[14])

local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- A server that does not tell its run id answers with an error, not a string.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'none'

local s = redis.call('HMGET', KEYS[1], 'run', 'high', 'next', 'turn', 'cool', 'born',
  'granted', 'refused', 'restarts')
-- What is not a plain number counts as missing.
local function number(i) return tonumber(string.match(s[i] or '', '^%d+$') or '0') end
local old_run, high, next_slot, turn, cool, born =
  s[1], number(2), number(3), number(4), number(5), number(6)

-- tostring would round an instant to fourteen digits.
local function text(n) return string.format('%.0f', n) end
local function reply(verdict, wait, now) return { verdict, wait, now, next_slot, born } end

local now = math.max(clock, high)
local same_life = in_born > 0 and in_born == born
local suspicious = same_life and now - in_now - elapsed - math.floor(elapsed / drift) > tolerance
if high <= 0 or next_slot <= 0 or old_run ~= run
  or high - clock > horizon
  or next_slot > now + horizon + interval
  or (same_life and next_slot < in_next)
  or (suspicious and doubt) then
  if high - clock > horizon then now = clock end
  cool = now + math.max(cool - high, 0)
  born, turn = now, 0
  next_slot = now + horizon + interval
  redis.call('HSET', KEYS[1], 'run', run, 'born', text(born), 'restarts', text(number(9) + 1))
elseif suspicious then
  return reply(2, 0, now)
end

cool = math.min(math.max(cool, now + in_cool), now + max_cool)
local function keep(...)
  redis.call('HSET', KEYS[1], 'high', text(now), 'next', text(next_slot),
    'turn', text(turn), 'cool', text(cool), ...)
end

if not reserve then
  keep('born', text(born))
  return reply(3, 0, now)
end

local slot = math.max(next_slot, now, cool)
if slot - now > horizon then
  local again = math.min(math.max(turn, slot - horizon), now + horizon)
  turn = again + interval
  keep('refused', text(number(8) + 1))
  return reply(1, again - now, now)
end

next_slot = slot + interval
local index = math.floor(slot / cell_length)
local field = 'u' .. text(index % cells)
local count = string.match(redis.call('HGET', KEYS[1], field) or '', '^' .. text(index) .. ':(%d+)$') or '0'
keep('last', text(slot), 'granted', text(number(7) + 1), field, text(index) .. ':' .. text(tonumber(count) + 1))
return reply(0, slot - now, now)
