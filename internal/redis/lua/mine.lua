-- ARGV: person. Answers {now, ended, first end, seats}.
expire()
local p = load(ARGV[4])
finish()
local low, seats = 0, {}
for seat, t in pairs(p.seats) do
  seats[#seats + 1] = seat
  if low == 0 or t.stop < low then low = t.stop end
end
return {now, ended, low, seats}
