-- KEYS: the viewers. ARGV: for how long each counts unrenewed, how long the key
-- stays, then the viewers. Who left is kept for a while with an end in the
-- past, so that the event counts as watched.
for i = 6, #ARGV do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[5]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
