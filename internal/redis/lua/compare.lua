-- KEYS: counter, waitlist, live. ARGV: version, available, length of the
-- waitlist, beginning and end of the part that is compared, its SHA-1.
-- Answers {kind, version, available, length}; kind 0: equal, 1: differs, 2:
-- the mirror is ahead.
local version = tonumber(ARGV[4])
local l = redis.call('HMGET', LIVE, 'kept', 'sale')
local kept, sale = tonumber(l[1]) or 0, tonumber(l[2]) or 0
local slots, long = redis.call('GET', KEYS[1]), redis.call('LLEN', KEYS[2])
if kept > version or sale > version then
  return {2, math.max(kept, sale), slots or '', long}
end
local same = slots == ARGV[5] and long == tonumber(ARGV[6])
if same and long > 0 then
  local part = redis.call('LRANGE', KEYS[2], ARGV[7], ARGV[8])
  same = redis.sha1hex(table.concat(part)) == ARGV[9]
end
if sale < version then
  redis.call('HSETNX', LIVE, 'epoch', FRESH)
  note(version, false)
  redis.call('PEXPIRE', LIVE, LIVE_KEPT)
end
if not same then return {1, kept, slots or '', long} end
if kept < version then redis.call('HSET', LIVE, 'kept', version) end
-- The version of an event that nobody uses ends before its figures do.
if redis.call('PTTL', LIVE) < LIVE_KEPT / 2 or redis.call('PTTL', KEYS[1]) < MIRROR_KEPT - LIVE_KEPT then
  redis.call('PEXPIRE', LIVE, LIVE_KEPT)
  redis.call('PEXPIRE', KEYS[1], MIRROR_KEPT)
  redis.call('PEXPIRE', KEYS[2], MIRROR_KEPT)
end
return {0, version, slots, long}
