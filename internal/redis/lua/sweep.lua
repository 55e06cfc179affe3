-- Ends what is due. Holds that nobody's record leads to any more, because a
-- key was deleted by hand, are given their records back, so that they end, too.
-- Answers {now, ended, due}.
expire()
if redis.call('EXISTS', DUE) == 0 and redis.call('EXISTS', HOLDS) == 1 then
  local all, people = redis.call('HGETALL', HOLDS), {}
  for i = 1, #all, 2 do
    local seat = tonumber(all[i])
    local user, stop, first = parse(all[i + 1])
    if not user or not seat then
      redis.call('HDEL', HOLDS, all[i])
    else
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
  expire()
end
return {now, ended, finish()}
