-- KEYS: the person's events. ARGV: event, until when, how many others at most.
-- Answers {allowed, new, until}.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- No hold ends so late: the clock was set back since.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + MAX_AGE + 2 * PIN_MAX, '+inf')
local till = now + tonumber(ARGV[5])
local known = redis.call('ZSCORE', KEYS[1], ARGV[4])
if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[6]) then return {0, 0, 0} end
if not known or tonumber(known) < till then redis.call('ZADD', KEYS[1], till, ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], HOLDS_KEPT)
return {1, known and 0 or 1, till}
