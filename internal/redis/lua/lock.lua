-- KEYS: the lock. ARGV: owner's token, hash of the request, for how long.
-- Answers 1: taken, 0: the same request has it, 2: another has, or none that
-- we know of. A value that would stay is given an end.
if redis.call('SET', KEYS[1], ARGV[5] .. ' ' .. ARGV[4], 'NX', 'PX', ARGV[6]) then return 1 end
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[6]) then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' and string.match(value, '^(%x+) ') == ARGV[5] then return 0 end
return 2
