-- ARGV: epoch, revision and number of holds that the caller knows.
-- Answers {now, ended, sale, epoch, revision, number, kind, …}; kind 0: as
-- known, 1: seats and their values follow (false: free), 2: all of them do.
local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
if first[2] and tonumber(first[2]) <= now then
  expire()
  finish()
end
local live = redis.call('HMGET', LIVE, 'epoch', 'rev', 'sale', 'floor')
local epoch, rev, sale = live[1] or '', tonumber(live[2]) or 0, tonumber(live[3]) or 0
local many = redis.call('HLEN', HOLDS)
local known = tonumber(ARGV[5])
if many == tonumber(ARGV[6]) and (many == 0 or epoch == ARGV[4] and rev == known) then
  return {now, ended, sale, epoch, rev, many, 0}
end
if epoch == '' and many > 0 then
  epoch = FRESH
  redis.call('HSET', LIVE, 'epoch', epoch)
  redis.call('PEXPIRE', LIVE, LIVE_KEPT)
elseif epoch == ARGV[4] and rev > known and known >= (tonumber(live[4]) or 0) then
  local seats = redis.call('ZRANGEBYSCORE', TOUCHED, '(' .. known, '+inf', 'LIMIT', 0, MAX_CHANGES + 1)
  if #seats > 0 and #seats <= MAX_CHANGES then
    return {now, ended, sale, epoch, rev, many, 1, seats, redis.call('HMGET', HOLDS, unpack(seats))}
  end
end
return {now, ended, sale, epoch, rev, many, 2, redis.call('HGETALL', HOLDS)}
