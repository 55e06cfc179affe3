-- ARGV: person, time to live, sale version, seats.
-- Answers {now, ended, behind, granted, conflicts, first end, last end,
-- changed, due}. Where the caller is behind, nothing but the clock has worked.
local user, ttl, sale = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
expire()
local settled = tonumber(redis.call('HGET', LIVE, 'sale')) or 0
if #ARGV > 6 and sale > 0 and sale < settled then
  return {now, ended, 1, {}, {}, 0, 0, {}, finish()}
end
local p = load(user)
local own = #changed
if #ARGV == 6 and p.held == 0 then
  return {now, ended, 0, {}, {}, 0, 0, {}, finish()}
end
local named = {}
for i = 7, #ARGV do named[tonumber(ARGV[i])] = true end
for seat, t in pairs(p.seats) do
  if not named[seat] then
    if pinned(p) then
      -- Given up while a booking of it is queued: held until that is decided.
      if t.stop > now then
        t.stop = now
        redis.call('HSET', HOLDS, seat, string.format('%s %.0f %.0f', user, now, t.first))
      end
    else
      drop(p, seat, now)
    end
  end
end
local granted, conflicts = {}, {}
local low, high = 0, 0
for i = 7, #ARGV do
  local seat = tonumber(ARGV[i])
  local first, fine, fresh = now, true, false
  local value = redis.call('HGET', HOLDS, seat)
  local owner, stop, since
  if value then owner, stop, since = parse(value) end
  if owner and owner ~= user and now < stop + PIN_MAX then
    fine = false
  elseif p.seats[seat] then
    first = p.seats[seat].first
  else
    fresh = true
    local past = p.past[seat]
    if past and now < past.till then
      first = past.first
    elseif p.touched + p.held >= MAX_PAST then
      fine = false
    end
  end
  if fine and now < first + MAX_AGE then
    local stop = math.min(now + ttl, first + MAX_AGE)
    if p.past[seat] then
      p.past[seat] = nil
      p.touched = p.touched - 1
    end
    if fresh then
      p.held = p.held + 1
      changed[#changed + 1] = seat
    end
    p.seats[seat] = {first = first, stop = stop}
    redis.call('HSET', HOLDS, seat, string.format('%s %.0f %.0f', user, stop, first))
    granted[#granted + 1] = seat
    if low == 0 or stop < low then low = stop end
  else
    conflicts[#conflicts + 1] = seat
  end
end
for _, t in pairs(p.seats) do high = math.max(high, stopOf(p, t)) end
save(p)
local mine = {}
for i = own + 1, #changed do mine[#mine + 1] = changed[i] end
return {now, ended, 0, granted, conflicts, low, high, mine, finish()}
