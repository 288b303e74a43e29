-- Reads a bucket without touching it: the server's clock, then every field.
return { redis.call('TIME'), redis.call('HGETALL', KEYS[1]) }
