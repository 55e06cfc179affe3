-- KEYS: the person's events. ARGV: event, the end that the caller has set (0:
-- any), the end that holds (0: nothing is held there).
local score = redis.call('ZSCORE', KEYS[1], ARGV[4])
if not score or ARGV[5] ~= '0' and tonumber(score) ~= tonumber(ARGV[5]) then return 0 end
if ARGV[6] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[4])
else
  redis.call('ZADD', KEYS[1], ARGV[6], ARGV[4])
end
return 1
