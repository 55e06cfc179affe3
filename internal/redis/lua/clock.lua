-- Every script begins with this. ARGV[1] is the clock in milliseconds where a
-- test sets it, else 0: Redis's own runs the holds. ARGV[2] names the calling
-- process, ARGV[3] is a random word for a new epoch, because a script's own
-- random numbers are the same each time.
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local PROCESS, FRESH = ARGV[2], ARGV[3]
