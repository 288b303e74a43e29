-- Reads what processes have told (tell.lua): the server's clock, and the text, "" if there is none.
-- KEYS[1] the record of the addresses of an egress. ARGV how many bytes are read; more is no
-- record of ours, and none of it leaves the server.
local text = redis.call('HGET', KEYS[1], 'processes') or ''
if #text > tonumber(ARGV[1]) then
  text = ''
end
return { redis.call('TIME'), text }
