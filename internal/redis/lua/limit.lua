-- The generic cell rate algorithm (ITU-T I.371). KEYS: the bucket, as when it
-- will be full again. ARGV: the clock where a test sets it (0: Redis's), time
-- between two tokens, how far one may run ahead; all in microseconds.
-- Answers how long to wait; 0: one token was taken.
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local every, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
local value = redis.pcall('GET', KEYS[1])
local full = type(value) == 'string' and tonumber(value) or 0
if full < now or full - now > burst + every then full = now end
local wait = full - now - burst
if wait > 0 then return wait end
full = full + every
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
