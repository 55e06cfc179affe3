-- KEYS: live, viewers. ARGV: epoch and n of the newest version that the caller
-- knows, 1 to move on, the sale version that the change includes, or that
-- somebody has seen committed before its own process settled it.
-- Answers {epoch, n, sale, watched}.
-- A new epoch begins where a watcher may have missed something: the store is a
-- new one or has gone back in time, a commit was never settled, or a process
-- changed something and died before it told.
local moves = ARGV[6] == '1'
local all = fields()
local run = ''
local info = redis.pcall('INFO', 'server')
if type(info) == 'string' then run = string.match(info, 'run_id:(%x+)') or '' end
local n = tonumber(all.n) or 0
local broken = not all.epoch or run ~= '' and all.run and all.run ~= run
  or all.epoch == ARGV[4] and n < tonumber(ARGV[5])
  or all.gap and math.abs(now - (tonumber(all.gap) or 0)) > GAP_PATIENCE
if not broken then
  for name, value in pairs(all) do
    if string.sub(name, 1, 2) == 'p:' and not (moves and name == 'p:' .. PROCESS)
      and math.abs(now - (tonumber(value) or 0)) > STALE then
      broken = true
      break
    end
  end
end
if broken then anew() end
if run ~= '' and all.run ~= run then redis.call('HSET', LIVE, 'run', run) end
if moves then
  redis.call('HINCRBY', LIVE, 'n', 1)
  redis.call('HDEL', LIVE, 'p:' .. PROCESS)
  note(tonumber(ARGV[7]), true)
else
  note(tonumber(ARGV[7]), false)
end
redis.call('PEXPIRE', LIVE, LIVE_KEPT)
local live = redis.call('HMGET', LIVE, 'epoch', 'n', 'sale')
return {live[1], tonumber(live[2]) or 0, tonumber(live[3]) or 0, redis.call('EXISTS', KEYS[2])}
