-- KEYS: events with holds that end. ARGV: pairs of event and how soon.
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'LT', now + tonumber(ARGV[i + 1]), ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], HOLDS_KEPT)
return now
