-- The holds of one event.
--   HOLDS    hash     seat → "holder end first", times in milliseconds; the truth
--   PEOPLE   hash     holder → pins, pinned until, seats, ages of ended holds
--   DUE      sorted   holder → when the clock next changes something for them
--   TOUCHED  sorted   seat → revision of its last change, for views
--   LIVE     hash     epoch, n, sale, rev and what watches over them
local HOLDS, PEOPLE, DUE, TOUCHED, LIVE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ended, changed, wrote = {}, {}, false

local function parse(value)
  local user, stop, first = string.match(value, '^(%S+) (%d+) (%d+)$')
  if not user then return nil end
  stop, first = tonumber(stop), tonumber(first)
  -- No hold ends later than its greatest age, but for the clock of a server
  -- that took over from another's; any other value is not ours.
  if stop > now + MAX_AGE + PIN_MAX then return nil end
  return user, stop, first
end

local function record(user)
  local raw = redis.call('HGET', PEOPLE, user)
  if not raw then return nil end
  local fine, r = pcall(cmsgpack.unpack, raw)
  if fine and type(r) == 'table' then return r end
end

local adopt, adopted

local function load(user)
  local p = {user = user, pins = 0, pinned = 0, seats = {}, past = {}, held = 0, touched = 0}
  local r = record(user)
  if not r and not adopted and redis.call('ZSCORE', DUE, user) then
    -- Whom the clock has something for, has a record: the records were lost.
    adopt()
    r = record(user)
  end
  if not r then return p end
  p.pins, p.pinned = tonumber(r[1]) or 0, tonumber(r[2]) or 0
  if type(r[3]) == 'table' and #r[3] > 0 then
    -- The seat itself says who holds it; a record that claims more is wrong.
    local values = redis.call('HMGET', HOLDS, unpack(r[3]))
    for i, seat in ipairs(r[3]) do
      if values[i] then
        local owner, stop, first = parse(values[i])
        if owner == user then
          p.seats[seat] = {first = first, stop = stop}
          p.held = p.held + 1
        elseif not owner then
          -- Left there it would lead nowhere: nobody would ever end it.
          redis.call('HDEL', HOLDS, seat)
          changed[#changed + 1] = seat
          ended[#ended + 1] = {user, seat}
        end
      end
    end
  end
  if type(r[4]) == 'table' then
    for i = 1, #r[4] - 2, 3 do
      if now < r[4][i + 2] then
        p.past[r[4][i]] = {first = r[4][i + 1], till = r[4][i + 2]}
        p.touched = p.touched + 1
      end
    end
  end
  return p
end

-- A pin carries a hold over its end, but never for longer than PIN_MAX.
local function stopOf(p, t)
  if p.pins == 0 then return t.stop end
  return math.max(t.stop, math.min(p.pinned, t.stop + PIN_MAX))
end

local function pinned(p) return p.pins > 0 and now < p.pinned end

local function drop(p, seat, when)
  local t = p.seats[seat]
  p.seats[seat] = nil
  p.held = p.held - 1
  p.past[seat] = {first = t.first, till = when + COOLDOWN}
  p.touched = p.touched + 1
  redis.call('HDEL', HOLDS, seat)
  changed[#changed + 1] = seat
end

local function save(p)
  wrote = true
  local due
  for _, t in pairs(p.seats) do
    local stop = stopOf(p, t)
    if not due or stop < due then due = stop end
  end
  if p.pins > 0 and (not due or p.pinned < due) then due = p.pinned end
  local seats, past = {}, {}
  for seat in pairs(p.seats) do seats[#seats + 1] = seat end
  local last
  for seat, t in pairs(p.past) do
    past[#past + 1], past[#past + 2], past[#past + 3] = seat, t.first, t.till
    if not last or t.till > last then last = t.till end
  end
  due = due or last
  if not due then
    redis.call('HDEL', PEOPLE, p.user)
    redis.call('ZREM', DUE, p.user)
    return
  end
  redis.call('HSET', PEOPLE, p.user, cmsgpack.pack({p.pins, p.pinned, seats, past}))
  redis.call('ZADD', DUE, due, p.user)
end

-- adopt gives holds that no record leads to, because a key was evicted or
-- deleted by hand, their records back, so that they end like any others; with
-- overdue only those that should have ended. What is no hold is deleted.
adopt = function(overdue)
  adopted = true
  local all, people = redis.call('HGETALL', HOLDS), {}
  for i = 1, #all, 2 do
    local seat = string.match(all[i], '^%d+$') and tonumber(all[i])
    local user, stop, first = parse(all[i + 1])
    if not user or not seat then
      redis.call('HDEL', HOLDS, all[i])
      if seat then changed[#changed + 1] = seat end
    elseif not overdue or now >= stop + PIN_MAX then
      local p = people[user]
      if not p then
        p = load(user)
        people[user] = p
      end
      if not p.seats[seat] then
        p.seats[seat] = {first = first, stop = stop}
        p.held = p.held + 1
      end
    end
  end
  for _, p in pairs(people) do save(p) end
end

-- expire applies the clock to everybody who is due, up to a bound; what is
-- left is due at the next call.
local function expire()
  for _ = 1, EXPIRE_ROUNDS do
    local late = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, EXPIRE_BATCH)
    if #late == 0 then return end
    for _, user in ipairs(late) do
      local p = load(user)
      local gone = {user}
      for seat, t in pairs(p.seats) do
        local stop = stopOf(p, t)
        if now >= stop then
          gone[#gone + 1] = seat
          drop(p, seat, stop)
        end
      end
      for seat, t in pairs(p.past) do
        if now >= t.till then p.past[seat] = nil end
      end
      if p.pins > 0 and now >= p.pinned then p.pins = 0 end -- the Unpin was lost
      if #gone > 1 then ended[#ended + 1] = gone end
      save(p)
    end
  end
end

-- finish notes what has changed under a new revision and gives when the clock
-- next brings something; 0: never.
local function finish()
  if #changed > 0 then
    redis.call('HSETNX', LIVE, 'epoch', FRESH)
    local rev = redis.call('HINCRBY', LIVE, 'rev', 1)
    for i = 1, #changed, 1000 do
      local pairs_ = {}
      for j = i, math.min(#changed, i + 999) do
        pairs_[#pairs_ + 1] = rev
        pairs_[#pairs_ + 1] = changed[j]
      end
      redis.call('ZADD', TOUCHED, unpack(pairs_))
    end
    local many = redis.call('ZCARD', TOUCHED)
    if many > MAX_TOUCHED then
      redis.call('ZREMRANGEBYRANK', TOUCHED, 0, many - MAX_TOUCHED / 2 - 1)
      redis.call('HSET', LIVE, 'floor', redis.call('ZRANGE', TOUCHED, 0, 0, 'WITHSCORES')[2])
    end
    -- Until this process publishes it, the change is known to no watcher.
    redis.call('HSETNX', LIVE, 'p:' .. PROCESS, now)
    redis.call('PEXPIRE', LIVE, LIVE_KEPT)
  end
  if wrote or #changed > 0 then
    for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], HOLDS_KEPT) end
  end
  local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) or 0
end
