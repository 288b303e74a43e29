-- One request to the bucket of one egress: bucket.Decide, in the same order.
-- Change both or neither; a test compares them step by step.
--
-- KEYS[1] the hash that holds the bucket (bucket.State.Record).
-- ARGV    reserve, interval, horizon, tolerance, cool, max_cool; what the process
--         remembers of its last answer: epoch, next_slot, now, skew, elapsed;
--         then parameters (bucket.Params.String), hold, right, spacing, note.
-- Lengths and instants are microseconds, exact in a double until the year 2255.
-- Returns verdict, wait, now, skew, next_slot, epoch; to a process with other
-- parameters also those in force. A stop or a release is also said on the egress's
-- channel: before which of the bucket's instants slots are void.
local reserve, interval, horizon = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local tolerance, in_cool, max_cool = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local in_epoch, in_next_slot, in_now = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local in_skew, elapsed = tonumber(ARGV[10]), tonumber(ARGV[11])
local params, in_hold = ARGV[12], tonumber(ARGV[13])
local right, spacing, note = tonumber(ARGV[14]), tonumber(ARGV[15]), ARGV[16] or ''
local cell_length, cells, longest, max_hold = 10000000, 30, 3600000000, 86400000000 -- bucket's constants
local call, max, min, floor = redis.call, math.max, math.min, math.floor

local server_time = call('TIME')
local clock = tonumber(server_time[1]) * 1000000 + tonumber(server_time[2])

-- A server that does not tell its run id answers with an error, not a string.
local info = redis.pcall('INFO', 'server')
local run, at = 'none', type(info) == 'string' and string.find(info, 'run_id:', 1, true)
if at then run = string.match(info, '^%w+', at + 7) or run end -- one pattern would try each place

local s = call('HMGET', KEYS[1], 'run', 'high', 'skew', 'next', 'turn', 'cool', 'born',
  'granted', 'refused', 'restarts', 'hold', 'seen', 'figures',
  'background', 'round', 'background_turn', 'background_granted')
-- What is not a whole number counts as missing; infinity is none, nor is NaN.
local function number(i)
  local n = tonumber(s[i])
  return n and n % 1 == 0 and n or 0
end
local time, skew, next_slot, next_retry, cool_until, epoch =
  number(2), number(3), number(4), number(5), number(6), number(7)
local stored_hold_until, last_asked = number(11), number(12)
local background, round, background_retry = number(14), number(15), number(16)

-- The parameters in force: mostly the caller's own.
local f_interval, f_horizon, f_limit, f_window = interval, horizon, nil, nil
if s[13] ~= params then
  f_interval, f_horizon, f_limit, f_window = string.match(s[13] or '', '^(%d+):(%d+):(%d+):(%d+)$')
  f_interval, f_horizon = tonumber(f_interval or '0'), tonumber(f_horizon or '0')
end

-- tostring would round an instant to fourteen digits.
local function text(n) return string.format('%d', n) end
local function reply(verdict, wait, now) return { verdict, wait, now, skew, next_slot, epoch } end

-- The bucket's time: see advance.
local known = in_epoch > 0 and in_epoch == epoch
local vouched = max(time, known and in_now + elapsed - max(0, skew - in_skew) or 0)
local now = clock - skew
if now < time then
  now = time
elseif now > vouched + tolerance then
  now = vouched
end
skew = clock - now

local differs = reserve and s[13] ~= params
if s[1] ~= run or time <= 0 or next_slot <= 0
  or f_interval <= 0 or f_interval > longest or f_horizon <= 0 or f_horizon > longest or last_asked > now
  or next_slot > now + f_horizon + f_interval or max(background, round) > next_slot
  or (known and next_slot < in_next_slot)
  or (differs and now - last_asked >= 2 * f_horizon) then
  differs = false
  now = clock
  cool_until = now + (time > 0 and max(cool_until - time, 0) or 0)
  next_slot = now + horizon + interval
  epoch, skew, next_retry, last_asked = now, 0, 0, now
  call('HSET', KEYS[1], 'run', run, 'born', text(epoch), 'restarts', text(number(10) + 1),
    'figures', params, 'seen', text(last_asked))
  background, round, background_retry = 0, 0, 0
  if s[14] or s[15] or s[16] then call('HSET', KEYS[1], 'background', '0', 'round', '0', 'background_turn', '0') end
end

if in_cool > 0 and cool_until <= now then
  local cools = string.match(call('HGET', KEYS[1], 'cools') or '', '^%d+$') or '0'
  call('HSET', KEYS[1], 'cools', text(tonumber(cools) + 1))
end
if in_cool < 0 then
  cool_until = min(cool_until, now)
else
  cool_until = min(max(cool_until, now + in_cool), now + max_cool)
end
local hold_until = stored_hold_until
if in_hold < 0 then
  hold_until = 0
  call('HSET', KEYS[1], 'hold_note', '')
elseif in_hold > 0 and clock + in_hold > hold_until then
  hold_until = clock + in_hold
  call('HSET', KEYS[1], 'hold_note', note)
end
hold_until = min(hold_until, clock + max_hold)
if hold_until ~= stored_hold_until or in_hold ~= 0 then call('HSET', KEYS[1], 'hold', text(hold_until)) end
if in_cool ~= 0 or in_hold ~= 0 then
  local void = (in_cool < 0 or in_hold < 0) and 0 or max(cool_until, now + hold_until - clock)
  -- Where the channel is forbidden, other processes learn it when they ask next.
  redis.pcall('PUBLISH', KEYS[1] .. ':word', text(epoch) .. ':' .. text(now) .. ':' .. text(void))
end
local function keep(...)
  call('HSET', KEYS[1], 'high', text(now), 'skew', text(skew), 'next', text(next_slot),
    'turn', text(next_retry), 'cool', text(cool_until), ...)
end

if not reserve then
  keep('born', text(epoch))
  return reply(2, 0, now)
end

if differs then
  local again = min(last_asked + 2 * f_horizon - now, horizon)
  keep()
  return { 3, again, now, skew, next_slot, epoch, f_interval, f_horizon, tonumber(f_limit), tonumber(f_window) }
end

last_asked = now
local slot = max(next_slot, now, cool_until, now + hold_until - clock)
-- The background takes what the round leaves: see class.go.
if right > 0 then
  local last = next_slot - interval
  if last ~= background then round = last end
  local right_at, half = background + max(right, spacing), floor(interval / 2)
  if slot < right_at then
    local idle = max(slot, background + spacing)
    local again, gap = max(idle - interval - half, round + 2 * interval), max(interval, spacing)
    if now < again then
      local by_right = max(now, slot - horizon) + right_at - slot + half
      if by_right < again then again, gap = by_right, max(right, spacing) end
      if background_retry > now then again = max(again, background_retry + gap) end
      again = min(again, now + horizon)
      keep('seen', text(last_asked), 'refused', text(number(9) + 1), 'background_turn', text(again))
      return reply(1, again - now, now)
    end
    slot = idle
  end
end

if slot - now > horizon then
  local again = min(max(next_retry, slot - horizon), now + horizon)
  next_retry = again + interval
  keep('seen', text(last_asked), 'refused', text(number(9) + 1))
  return reply(1, again - now, now)
end

next_slot = slot + interval
local last = clock + (slot - now)
local index = floor(last / cell_length)
-- One more in the cell of a class of counts: u of all slots, b of the background's.
local function counted(class)
  local field = class .. text(index % cells)
  local count = string.match(call('HGET', KEYS[1], field) or '', '^' .. text(index) .. ':(%d+)$') or '0'
  return field, text(index) .. ':' .. text(tonumber(count) + 1)
end
if right > 0 then
  call('HSET', KEYS[1], 'round', text(round), 'background', text(slot), 'background_granted', text(number(17) + 1),
    counted('b'))
end
keep('seen', text(last_asked), 'last', text(last), 'granted', text(number(8) + 1), counted('u'))
return reply(0, slot - now, now)
