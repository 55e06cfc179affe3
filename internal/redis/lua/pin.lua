-- ARGV: person, 1 for a pin and -1 for the end of one. Answers {now, ended, due}.
expire()
local p = load(ARGV[4])
if ARGV[5] == '1' then
  p.pins, p.pinned = p.pins + 1, now + PIN_MAX
  save(p)
elseif p.pins > 0 then
  p.pins = p.pins - 1
  save(p)
  expire() -- holds whose time was over end with the last pin
end
return {now, ended, finish()}
