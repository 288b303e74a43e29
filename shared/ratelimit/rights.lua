-- Asks, without running it, whether the user may run a command. It changes nothing.
-- ARGV the command with its arguments. Returns 1 if it may.
return redis.acl_check_cmd(unpack(ARGV)) and 1 or 0
