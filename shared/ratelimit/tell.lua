-- Notes which addresses a process sends from, and forgets what is too old. It touches no bucket.
-- KEYS[1] the record of the addresses of an egress. ARGV the process, its addresses with spaces
-- between them ("" for a process that ends), for how many seconds a process is remembered, and
-- how many bytes are decoded: Redis serves nobody meanwhile, so more counts as nothing told.
-- The record is one field, so that this needs no right that reserve.lua does not need.
local now = tonumber(redis.call('TIME')[1])
local text = redis.call('HGET', KEYS[1], 'processes') or ''
local known, all = false, nil
if #text <= tonumber(ARGV[4]) then
  known, all = pcall(cjson.decode, text)
end
if not known or type(all) ~= 'table' then
  all = {}
end
local kept = {}
for name, told in pairs(all) do
  -- Other names, and other fields, may be what cjson does not encode: an infinity, a sparse array.
  if type(name) == 'string' and type(told) == 'table' and type(told.at) == 'number' and type(told.from) == 'string'
    and math.abs(now - told.at) < tonumber(ARGV[3]) then
    kept[name] = { at = told.at, from = told.from }
  end
end
kept[ARGV[1]] = nil
if ARGV[2] ~= '' then
  kept[ARGV[1]] = { at = now, from = ARGV[2] }
end
redis.call('HSET', KEYS[1], 'processes', cjson.encode(kept))
return 1
