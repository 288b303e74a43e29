-- Reads a bucket without touching it: the server's clock, then the fields that are named, in their
-- order. What others have put beside them is not read.
-- KEYS[1] the hash that holds the bucket. ARGV how many bytes of a field leave the server, then the
-- names of the fields.
local fields = redis.call('HMGET', KEYS[1], unpack(ARGV, 2))
for i, text in ipairs(fields) do -- a missing one is false
  fields[i] = text and string.sub(text, 1, tonumber(ARGV[1]))
end
return { redis.call('TIME'), fields }
