-- One request to the bucket of one egress: bucket.Decide, in the same order.
-- Change both or neither; a test compares them step by step.
--
-- KEYS[1] the hash that holds the bucket (bucket.State.Record).
-- ARGV    reserve, interval, horizon, tolerance, cool, max_cool; what the process
--         remembers of its last answer: born, next, now, skew, elapsed; then
--         figures (bucket.Figures.String), hold.
-- Lengths and instants are microseconds, exact in a double until the year 2255.
-- Returns verdict, wait, now, skew, next, born; to a process with other figures
-- also the figures in force. A stop or a release is also said on the egress's
-- channel: before which of the bucket's instants slots are void.
local reserve, interval, horizon = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local tolerance, in_cool, max_cool = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local in_born, in_next, in_now = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local in_skew, elapsed = tonumber(ARGV[10]), tonumber(ARGV[11])
local figures, in_hold = ARGV[12], tonumber(ARGV[13])
local cell_length, cells, longest, max_hold = 10000000, 30, 3600000000, 86400000000 -- bucket's constants
local call, max, min, floor = redis.call, math.max, math.min, math.floor

local time = call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- A server that does not tell its run id answers with an error, not a string.
local info = redis.pcall('INFO', 'server')
local run, at = 'none', type(info) == 'string' and string.find(info, 'run_id:', 1, true)
if at then run = string.match(info, '^%w+', at + 7) or run end -- one pattern would try each place

local s = call('HMGET', KEYS[1], 'run', 'high', 'skew', 'next', 'turn', 'cool', 'born',
  'granted', 'refused', 'restarts', 'hold', 'seen', 'figures')
-- What is not a whole number counts as missing; infinity is none, nor is NaN.
local function number(i)
  local n = tonumber(s[i])
  return n and n % 1 == 0 and n or 0
end
local high, skew, next_slot, turn, cool, born =
  number(2), number(3), number(4), number(5), number(6), number(7)
local held, seen = number(11), number(12)

-- The figures in force: mostly the caller's own.
local f_interval, f_horizon, f_limit, f_window = interval, horizon, nil, nil
if s[13] ~= figures then
  f_interval, f_horizon, f_limit, f_window = string.match(s[13] or '', '^(%d+):(%d+):(%d+):(%d+)$')
  f_interval, f_horizon = tonumber(f_interval or '0'), tonumber(f_horizon or '0')
end

-- tostring would round an instant to fourteen digits.
local function text(n) return string.format('%d', n) end
local function reply(verdict, wait, now) return { verdict, wait, now, skew, next_slot, born } end

-- The bucket's time: see advance.
local known = in_born > 0 and in_born == born
local vouched = max(high, known and in_now + elapsed - max(0, skew - in_skew) or 0)
local now = clock - skew
if now < high then
  now = high
elseif now > vouched + tolerance then
  now = vouched
end
skew = clock - now

local differs = reserve and s[13] ~= figures
if s[1] ~= run or high <= 0 or next_slot <= 0
  or f_interval <= 0 or f_interval > longest or f_horizon <= 0 or f_horizon > longest or seen > now
  or next_slot > now + f_horizon + f_interval
  or (known and next_slot < in_next)
  or (differs and now - seen >= 2 * f_horizon) then
  differs = false
  now = clock
  cool = now + (high > 0 and max(cool - high, 0) or 0)
  next_slot = now + horizon + interval
  born, skew, turn, seen = now, 0, 0, now
  call('HSET', KEYS[1], 'run', run, 'born', text(born), 'restarts', text(number(10) + 1),
    'figures', figures, 'seen', text(seen))
end

if in_cool > 0 and cool <= now then
  local cools = string.match(call('HGET', KEYS[1], 'cools') or '', '^%d+$') or '0'
  call('HSET', KEYS[1], 'cools', text(tonumber(cools) + 1))
end
cool = min(max(cool, now + in_cool), now + max_cool)
local hold = held
if in_hold > 0 then
  hold = max(hold, clock + in_hold)
elseif in_hold < 0 then
  hold = 0
end
hold = min(hold, clock + max_hold)
if hold ~= held or in_hold ~= 0 then call('HSET', KEYS[1], 'hold', text(hold)) end
if in_cool > 0 or in_hold ~= 0 then
  local void = in_hold < 0 and 0 or max(cool, now + hold - clock)
  -- Where the channel is forbidden, other processes learn it when they ask next.
  redis.pcall('PUBLISH', KEYS[1] .. ':word', text(born) .. ':' .. text(now) .. ':' .. text(void))
end
local function keep(...)
  call('HSET', KEYS[1], 'high', text(now), 'skew', text(skew), 'next', text(next_slot),
    'turn', text(turn), 'cool', text(cool), ...)
end

if not reserve then
  keep('born', text(born))
  return reply(2, 0, now)
end

if differs then
  local again = min(seen + 2 * f_horizon - now, horizon)
  keep()
  return { 3, again, now, skew, next_slot, born, f_interval, f_horizon, tonumber(f_limit), tonumber(f_window) }
end

seen = now
local slot = max(next_slot, now, cool, now + hold - clock)
if slot - now > horizon then
  local again = min(max(turn, slot - horizon), now + horizon)
  turn = again + interval
  keep('seen', text(seen), 'refused', text(number(9) + 1))
  return reply(1, again - now, now)
end

next_slot = slot + interval
local last = clock + (slot - now)
local index = floor(last / cell_length)
local field = 'u' .. text(index % cells)
local used = string.match(call('HGET', KEYS[1], field) or '', '^' .. text(index) .. ':(%d+)$') or '0'
keep('seen', text(seen), 'last', text(last), 'granted', text(number(8) + 1),
  field, text(index) .. ':' .. text(tonumber(used) + 1))
return reply(0, slot - now, now)
