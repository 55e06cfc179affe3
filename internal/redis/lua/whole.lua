-- KEYS: counter, waitlist, live, the waitlist as it is to be. ARGV: version,
-- available, length of the waitlist, how many of it stand under the fourth
-- key, 1 where an equal version is written again, the version that must not
-- have moved since (0: any that is older), then the rest of the waitlist.
-- Answers 1: written, 0: the mirror is newer, -1: the fourth key is not whole.
local version, there, again, claimed = tonumber(ARGV[4]), tonumber(ARGV[7]), ARGV[8] == '1', tonumber(ARGV[9])
local l = redis.call('HMGET', LIVE, 'kept', 'sale')
local kept, sale = tonumber(l[1]) or 0, tonumber(l[2]) or 0
local mayWrite = kept < version or again and kept == version
if claimed > 0 then mayWrite = math.max(kept, sale) == claimed end
if not mayWrite then
  redis.call('DEL', KEYS[4])
  return 0
end
if there > 0 and redis.call('LLEN', KEYS[4]) ~= there then
  redis.call('DEL', KEYS[4])
  return -1
end
if there > 0 then
  redis.call('RENAME', KEYS[4], KEYS[2])
else
  redis.call('DEL', KEYS[2])
end
for i = 10, #ARGV, 1000 do
  redis.call('RPUSH', KEYS[2], unpack(ARGV, i, math.min(#ARGV, i + 999)))
end
redis.call('SET', KEYS[1], ARGV[5])
redis.call('HSETNX', LIVE, 'epoch', FRESH)
redis.call('HSET', LIVE, 'kept', version)
if claimed > version then
  -- The store claimed sales that never were: whoever believed it looks anew.
  redis.call('HSET', LIVE, 'sale', version)
  anew()
else
  note(version, false)
end
redis.call('PEXPIRE', LIVE, LIVE_KEPT)
redis.call('PEXPIRE', KEYS[1], MIRROR_KEPT)
redis.call('PEXPIRE', KEYS[2], MIRROR_KEPT)
return 1
