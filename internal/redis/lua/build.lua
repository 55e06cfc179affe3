-- KEYS: a list that is being built. ARGV: for how long it stays unfinished, then
-- what comes next in it.
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
