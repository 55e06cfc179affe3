-- Ends what is due, and now and then looks for holds that nobody's record leads
-- to any more. Answers {now, ended, due}.
local LOOK_EVERY = 60000
expire()
if redis.call('EXISTS', HOLDS) == 1 then
  if redis.call('EXISTS', DUE) == 0 then
    adopt()
    expire()
  elseif math.abs(now - (tonumber(redis.call('HGET', LIVE, 'looked')) or 0)) >= LOOK_EVERY then
    adopt(true)
    expire()
    redis.call('HSETNX', LIVE, 'epoch', FRESH)
    redis.call('HSET', LIVE, 'looked', now)
    redis.call('PEXPIRE', LIVE, LIVE_KEPT)
  end
end
return {now, ended, finish()}
