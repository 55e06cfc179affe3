-- The answer to almost every view, before all else: nothing is due, nothing
-- has changed. ARGV as in view.lua.
do
  local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  if not first[2] or now < tonumber(first[2]) then
    local live = redis.call('HMGET', KEYS[5], 'epoch', 'rev', 'sale')
    local many = redis.call('HLEN', KEYS[1])
    if many == tonumber(ARGV[6]) and (many == 0 or live[1] == ARGV[4] and live[2] == ARGV[5]) then
      return {now, {}, tonumber(live[3]) or 0, live[1] or '', tonumber(live[2]) or 0, many, 0}
    end
  end
end
