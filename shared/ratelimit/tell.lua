-- Notes which addresses a process sends from, and forgets what is too old. It touches no bucket.
-- KEYS[1] the record of the addresses of an egress. ARGV the process, its addresses with spaces
-- between them ("" for a process that ends), and for how many seconds a process is remembered.
-- The record is one field, so that this needs no right that reserve.lua does not need.
local now = tonumber(redis.call('TIME')[1])
local known, all = pcall(cjson.decode, redis.call('HGET', KEYS[1], 'processes') or '{}')
if not known or type(all) ~= 'table' then
  all = {}
end
local kept = {}
for name, told in pairs(all) do
  if type(told) == 'table' and type(told.at) == 'number' and math.abs(now - told.at) < tonumber(ARGV[3]) then
    kept[name] = told
  end
end
kept[ARGV[1]] = nil
if ARGV[2] ~= '' then
  kept[ARGV[1]] = { at = now, from = ARGV[2] }
end
redis.call('HSET', KEYS[1], 'processes', cjson.encode(kept))
return 1
