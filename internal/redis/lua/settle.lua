-- KEYS 6 and 7: counter and waitlist. ARGV: version, seats taken and left, and
-- the numbers of seats sold, of people who joined and who left, then these, and
-- for each seat that was sold some time ago the end of a hold that began with
-- its sale: holds that end then or later stay.
-- Answers {now, ended, changed, people without seats, whole, due}; whole: the
-- mirror is more than one step behind.
local SLOTS, WAITLIST = KEYS[6], KEYS[7]
local version, taken = tonumber(ARGV[4]), tonumber(ARGV[5])
local sold, joined, left = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local function younger(stop, i)
  local since = tonumber(ARGV[sold + joined + left + i])
  return since and stop and stop >= since
end
expire()
local own, bare = #changed, {}
if sold > 0 and redis.call('EXISTS', HOLDS) == 1 then
  local people = {}
  for i = 10, 9 + sold do
    local value = redis.call('HGET', HOLDS, ARGV[i])
    if value then
      local seat = tonumber(ARGV[i])
      local user, stop = parse(value)
      local stays = younger(stop, i)
      if user and not stays then
        local p = people[user]
        if not p then
          p = load(user)
          people[user] = p
        end
        if p.seats[seat] then
          drop(p, seat, now)
          p.past[seat] = nil -- who has bought the seat did not just sit on it
          p.touched = p.touched - 1
        else
          user = nil
        end
      end
      if not user and not stays then
        redis.call('HDEL', HOLDS, ARGV[i])
        changed[#changed + 1] = seat
      end
    end
  end
  for user, p in pairs(people) do
    save(p)
    if p.held == 0 then bare[#bare + 1] = user end
  end
end
redis.call('HSETNX', LIVE, 'epoch', FRESH)
note(version, true)
-- Who only joins or leaves the waitlist changes no seat: no delta is owed.
if version > 0 and (sold > 0 or taken ~= 0) then redis.call('HSETNX', LIVE, 'p:' .. PROCESS, now) end
redis.call('PEXPIRE', LIVE, LIVE_KEPT)

-- step moves counter and waitlist from the version before; false: it can't.
local function step()
  local slots = redis.call('GET', SLOTS)
  if not slots or tonumber(slots) ~= tonumber(ARGV[6]) + taken or not string.match(slots, '^%d+$') then return false end
  if left > 0 then
    local long = redis.call('LLEN', WAITLIST)
    if long == 0 or long * left > MAX_WALK then return false end
    local came = {}
    for i = 10 + sold, 9 + sold + joined do came[ARGV[i]] = true end
    for i = 10 + sold + joined, 9 + sold + joined + left do
      -- Of a person with several parties it can't be told which has left, nor
      -- of one who came and left in one commit.
      local at = redis.call('LPOS', WAITLIST, ARGV[i], 'COUNT', 2)
      if #at ~= 1 or came[ARGV[i]] then return false end
      if at[1] == 0 then
        redis.call('LPOP', WAITLIST)
      else
        redis.call('LREM', WAITLIST, 1, ARGV[i])
      end
    end
  end
  for i = 10 + sold, 9 + sold + joined do redis.call('RPUSH', WAITLIST, ARGV[i]) end
  if taken > 0 then redis.call('DECRBY', SLOTS, taken) end
  if taken < 0 then redis.call('INCRBY', SLOTS, -taken) end
  redis.call('HSET', LIVE, 'kept', version)
  redis.call('PEXPIRE', SLOTS, MIRROR_KEPT)
  redis.call('PEXPIRE', WAITLIST, MIRROR_KEPT)
  return true
end
local kept = tonumber(redis.call('HGET', LIVE, 'kept')) or 0
local whole = 0
if version > kept and not (version == kept + 1 and step()) then whole = 1 end
local mine = {}
for i = own + 1, #changed do mine[#mine + 1] = changed[i] end
return {now, ended, mine, bare, whole, finish()}
