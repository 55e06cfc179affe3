-- KEYS: the lock. ARGV: owner's token, hash of the request.
if redis.pcall('GET', KEYS[1]) == ARGV[5] .. ' ' .. ARGV[4] then return redis.call('DEL', KEYS[1]) end
return 0
