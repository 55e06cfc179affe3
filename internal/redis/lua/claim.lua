-- KEYS: events with holds that end. ARGV: how many at most, for how long.
-- Answers {until, events}. If the caller dies they are due again after that.
local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[4])
local till = now + tonumber(ARGV[5])
for _, event in ipairs(late) do redis.call('ZADD', KEYS[1], till, event) end
return {till, late}
