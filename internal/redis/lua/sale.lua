-- The newest sale versions. sale is the newest that anybody has settled, seq
-- the newest up to which none is missing, o:N one beyond it that has come out
-- of order, gap since when seq has been waited for. A process that dies after
-- a commit leaves a gap that stays: then watchers may have missed the change.
local LIVE
for _, key in ipairs(KEYS) do
  if string.sub(key, -5) == ':live' then LIVE = key end
end

local function forget(all)
  local dead = {}
  for name, value in pairs(all) do
    local kind = string.sub(name, 1, 2)
    if kind == 'o:' or name == 'gap' or kind == 'p:' and math.abs(now - (tonumber(value) or 0)) > STALE then
      dead[#dead + 1] = name
    end
  end
  if #dead > 0 then redis.call('HDEL', LIVE, unpack(dead)) end
end

local function fields()
  local flat, all = redis.call('HGETALL', LIVE), {}
  for i = 1, #flat, 2 do all[flat[i]] = flat[i + 1] end
  return all
end

local function anew()
  local all = fields()
  forget(all)
  redis.call('HSET', LIVE, 'epoch', FRESH, 'n', 0, 'seq', tonumber(all.sale) or 0)
end

local function note(version, arrived)
  if version <= 0 then return end
  local l = redis.call('HMGET', LIVE, 'sale', 'seq', 'gap')
  local sale, seq = tonumber(l[1]) or 0, tonumber(l[2]) or 0
  if sale == 0 then
    redis.call('HSET', LIVE, 'sale', version, 'seq', version)
    return
  end
  if version <= seq then return end
  local top = math.max(sale, version)
  if arrived and version == seq + 1 then
    seq = version
    while redis.call('HDEL', LIVE, 'o:' .. seq + 1) == 1 do seq = seq + 1 end
    redis.call('HSET', LIVE, 'sale', top, 'seq', seq)
    if seq < top then
      redis.call('HSET', LIVE, 'gap', now)
    elseif l[3] then
      redis.call('HDEL', LIVE, 'gap')
    end
    return
  end
  redis.call('HSET', LIVE, 'sale', top)
  redis.call('HSETNX', LIVE, 'gap', now)
  if arrived then redis.call('HSET', LIVE, 'o:' .. version, 1) end
  if redis.call('HLEN', LIVE) > MAX_LIVE then anew() end
end
