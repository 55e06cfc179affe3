package booking

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/event"
)

// TestAHoldOnASeatThatIsNoMoreGivesNothing lowers the capacity below a seat
// that is held by who waits: they are served with a seat that there is, or not
// at all, and what others hold there keeps nobody waiting.
func TestAHoldOnASeatThatIsNoMoreGivesNothing(t *testing.T) {
	for _, holder := range []string{"who waits", "another"} {
		d := newDesk(t, 41, nil)
		all := d.must(d.book(uuid.New(), 41))
		waits := uuid.New()
		d.must(d.book(waits, 1))
		d.holds[41] = waits
		if holder == "another" {
			d.holds[41] = uuid.New()
		}
		// While it was held by another, nobody could be served with it.
		d.inv.OrgSuspended = true
		d.must(d.do(uuid.New(), CancelSeats{BookingID: all.BookingID, SeatNumbers: []int32{40, 41}}))
		s := d.inv.Settings
		s.TotalSlots, s.OrgSuspended = 40, false
		dec := d.do(uuid.New(), Reconfigure{Settings: s})
		if len(dec.Changes) != 1 || !slices.Equal(dec.Changes[0].After.SeatNumbers, []int32{40}) {
			t.Errorf("seat 41 of 40 held by %s: %+v", holder, dec.Changes)
		}
	}
}

// TestAHoldIsThereAgainWithItsSeat raises the capacity over a seat that
// somebody still holds: it is not given to who waits.
func TestAHoldIsThereAgainWithItsSeat(t *testing.T) {
	d := newDesk(t, 40, nil)
	d.must(d.book(uuid.New(), 40))
	d.must(d.book(uuid.New(), 1))
	d.holds[41] = uuid.New()
	s := d.inv.Settings
	s.TotalSlots = 41
	if dec := d.do(uuid.New(), Reconfigure{Settings: s}); len(dec.Changes) != 0 {
		t.Errorf("seat 41, which is held, is given away: %+v", dec.Changes)
	}
	delete(d.holds, 41)
	if dec := d.do(uuid.Nil, Promote{}); len(dec.Changes) != 1 {
		t.Errorf("seat 41, which is not held any more, is not given: %+v", dec.Changes)
	}
}

var updateGolden = flag.Bool("update", false, "write the golden files")

// hall is an inventory and a model with the same seats sold and held.
type hall struct {
	inv   *Inventory
	model *simtest.Model
	holds []simtest.Hold
}

func newHall(t *testing.T, total int32) *hall {
	return &hall{inv: newDesk(t, total, nil).inv, model: &simtest.Model{Total: total}}
}

// sell sells seats to somebody, each one a booking.
func (h *hall) sell(seats ...int32) {
	h.inv.seats.take(seats)
	for _, s := range seats {
		h.model.Put(simtest.Party{ID: uuid.New(), Person: uuid.New(), Size: 1, Seats: []int32{s}})
	}
}

func (h *hall) hold(person uuid.UUID, seats ...int32) {
	for _, s := range seats {
		h.holds = append(h.holds, simtest.Hold{Seat: s, Person: person})
	}
}

// choose gives the best seats for a party, and what is wrong with them.
func (h *hall) choose(person uuid.UUID, size int32) ([]int32, error) {
	view := HoldView{Holders: map[int32]uuid.UUID{}}
	for _, hold := range h.holds {
		view.Holders[hold.Seat] = hold.Person
	}
	held := NewChoices(view, h.inv).seenBy(person)
	seats := h.inv.seats.best(size, &held)
	if seats == nil {
		if h.model.OpenTo(person, h.holds) >= size {
			return nil, errors.New("none, and there are enough")
		}
		return nil, nil
	}
	return seats, h.model.WellChosen(person, size, h.holds, seats)
}

// TestBestSeatsInEveryRow tries every row of ten seats with every party, and
// every row of eight with every own hold of one or two seats.
func TestBestSeatsInEveryRow(t *testing.T) {
	me := uuid.New()
	for _, length := range []int32{8, 10} {
		for sold := range 1 << length {
			var taken, open []int32
			for s := range length {
				if sold&(1<<s) != 0 {
					taken = append(taken, s+1)
				} else {
					open = append(open, s+1)
				}
			}
			for size := int32(1); size <= 4; size++ {
				h := newHall(t, length)
				h.sell(taken...)
				if seats, err := h.choose(me, size); err != nil {
					t.Fatalf("sold %v, a party of %d: %v: %v", taken, size, seats, err)
				}
				for i := 0; length == 8 && i < len(open); i++ {
					for j := i; j < len(open); j++ {
						h.holds = nil
						if h.hold(me, open[i]); j > i {
							h.hold(me, open[j])
						}
						if seats, err := h.choose(me, size); err != nil {
							t.Fatalf("sold %v, holding %v, a party of %d: %v: %v", taken, h.holds, size, seats, err)
						}
					}
				}
			}
		}
	}
}

// bestSeatsSeeds is how many halls are filled and emptied at random.
const bestSeatsSeeds = 300

// TestBestSeatsOfHalls fills halls of several rows with parties and holds,
// frees some again, so that what the map remembers of full rows is tried, too,
// and judges every choice.
func TestBestSeatsOfHalls(t *testing.T) {
	for seed := range uint64(bestSeatsSeeds) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		h := newHall(t, 1+rnd.Int32N(150))
		people := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		for step := range 80 {
			who, size := people[rnd.IntN(len(people))], 1+rnd.Int32N(6)
			if rnd.IntN(20) == 0 {
				size = 1 + rnd.Int32N(30)
			}
			switch n := rnd.IntN(10); {
			case n < 6:
				seats, err := h.choose(who, size)
				if err != nil {
					t.Fatalf("seed %d, step %d: a party of %d: %v: %v", seed, step, size, seats, err)
				}
				h.sell(seats...)
				h.holds = slices.DeleteFunc(h.holds, func(x simtest.Hold) bool { return slices.Contains(seats, x.Seat) })
			case n < 8:
				for _, p := range h.model.Live() {
					if rnd.IntN(8) == 0 {
						h.inv.seats.free(p.Seats)
						h.model.Drop(p.ID)
						break
					}
				}
			case n < 9:
				h.holds = nil
			default:
				s := 1 + rnd.Int32N(h.model.Total)
				for ; s <= h.model.Total && len(h.holds) < 12 && rnd.IntN(4) > 0; s++ {
					if h.model.Owner(s) == uuid.Nil && !slices.ContainsFunc(h.holds, func(x simtest.Hold) bool { return x.Seat == s }) {
						h.hold(who, s)
					}
				}
			}
		}
	}
}

// TestBadChoicesAreNoticed shows that the judge of choices tells worse ones.
func TestBadChoicesAreNoticed(t *testing.T) {
	me, other := uuid.New(), uuid.New()
	for name, test := range map[string]struct {
		sold, mine, others, seats []int32
	}{
		"too few":                       {seats: []int32{1}},
		"a sold seat":                   {sold: []int32{2}, seats: []int32{1, 2}},
		"a seat that another holds":     {others: []int32{2}, seats: []int32{1, 2}},
		"a seat twice":                  {seats: []int32{1, 1}},
		"a seat that is not there":      {seats: []int32{60, 61}},
		"apart":                         {seats: []int32{1, 3}},
		"in two rows":                   {seats: []int32{20, 21}},
		"an orphan":                     {seats: []int32{2, 3}},
		"an orphan at the end of a row": {seats: []int32{18, 19}},
		"two rows though one has room": {sold: []int32{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 21, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40,
			42, 44, 46, 48, 50, 52, 54, 56, 58, 60}, seats: []int32{19, 23}},
		"not the own holds":            {mine: []int32{30}, seats: []int32{1, 2}},
		"apart from the own holds":     {mine: []int32{30}, seats: []int32{1, 30}},
		"an orphan beside the own":     {mine: []int32{22}, seats: []int32{22, 23}},
		"not all of the own holds":     {mine: []int32{30, 35}, seats: []int32{29, 30}},
		"away from the own holds' row": {mine: []int32{21}, sold: []int32{22}, seats: []int32{20, 21}},
	} {
		h := newHall(t, 60)
		h.sell(test.sold...)
		h.hold(me, test.mine...)
		h.hold(other, test.others...)
		if h.model.WellChosen(me, 2, h.holds, test.seats) == nil {
			t.Errorf("%s: %v pass for well chosen", name, test.seats)
		}
	}
}

// pictures are what the documentation shows of best seats.
var pictures = []struct {
	title              string
	total, size        int32
	sold, others, mine []int32
}{
	{"a party of 4 sits side by side, from the front", 60, 4, seq(1, 18), nil, nil},
	{"a party of 2 leaves no single seat behind: not the first three, but the next four", 40, 2, append(append(seq(4, 8), seq(13, 20)...), seq(21, 24)...), nil, nil},
	{"a party of 3 skips what others are choosing", 40, 3, seq(1, 4), []int32{6, 7, 12}, nil},
	{"a party of 3 sits beside the seat that it holds, and leaves none alone at the aisle", 40, 3, nil, nil, []int32{22}},
	{"no three side by side: one row, as close as can be", 40, 3, []int32{2, 4, 5, 7, 8, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24, 27, 29, 30, 32, 33, 35, 36, 38, 39}, nil, nil},
	{"a party of 25 is larger than a row", 60, 25, seq(1, 2), []int32{10}, nil},
}

// TestPictureOfBestSeats draws what is chosen; the picture in the
// documentation is the golden file.
func TestPictureOfBestSeats(t *testing.T) {
	const golden = "../../docs/seats.svg"
	drawn := drawPictures(t)
	if *updateGolden {
		if err := os.WriteFile(golden, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, want) {
		t.Error("docs/seats.svg shows other seats than are chosen; look at what differs, and write it with -update")
	}
}

func drawPictures(t *testing.T) []byte {
	const seat, gap, left, top = 22, 4, 40, 52
	me, other := uuid.New(), uuid.New()
	var b bytes.Buffer
	y := top
	for _, p := range pictures {
		h := newHall(t, p.total)
		h.sell(p.sold...)
		h.hold(other, p.others...)
		h.hold(me, p.mine...)
		chosen, err := h.choose(me, p.size)
		if err != nil || chosen == nil {
			t.Fatalf("%s: %v: %v", p.title, chosen, err)
		}
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" class=\"title\">%s</text>\n", left, y, p.title)
		y += 10
		for s := int32(1); s <= p.total; s++ {
			column, row := int((s-1)%event.RowLength), int((s-1)/event.RowLength)
			x, y := left+column*(seat+gap), y+row*(seat+gap)
			if column == 0 {
				fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" class=\"row\">%s</text>\n", left-20, y+16, h.inv.layout.Place(s).Row)
			}
			class := "free"
			switch {
			case contains(chosen, s) && slices.Contains(p.mine, s):
				class = "own chosen"
			case contains(chosen, s):
				class = "chosen"
			case slices.Contains(p.sold, s):
				class = "sold"
			case slices.Contains(p.others, s):
				class = "held"
			}
			drawSeat(&b, x, y, seat, class)
		}
		y += int((p.total+event.RowLength-1)/event.RowLength)*(seat+gap) + 30
	}
	width := left + event.RowLength*(seat+gap) + 20
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" role="img" aria-label="Which seats are chosen in %d halls">
<style>
text { font: 13px sans-serif; fill: #1f2937 } .row { fill: #6b7280 }
rect { stroke: #6b7280; stroke-width: 1 } .free rect { fill: #fff } .sold rect { fill: #d1d5db; stroke: none } .held rect { fill: #fde68a }
.chosen rect { fill: #2563eb; stroke: #1e3a8a } .chosen path, .own path { stroke: #fff; stroke-width: 2; fill: none } .own circle { fill: #fde68a }
.held path { stroke: #92400e; stroke-width: 2 }
</style>
<rect width="100%%" height="100%%" style="fill:#f9fafb;stroke:none"/>
`, width, y, width, len(pictures))
	x := left
	for _, key := range []struct{ class, means string }{
		{"free", "free"}, {"sold", "sold"}, {"held", "held by another"}, {"chosen", "chosen"}, {"own chosen", "own hold, chosen"},
	} {
		drawSeat(&svg, x, 10, 18, key.class)
		fmt.Fprintf(&svg, "<text x=\"%d\" y=\"24\">%s</text>\n", x+24, key.means)
		x += 44 + 7*len(key.means)
	}
	svg.Write(b.Bytes())
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}

// drawSeat draws a seat so that its state shows without its colour, too.
func drawSeat(b *bytes.Buffer, x, y, size int, class string) {
	fmt.Fprintf(b, `<g class="%s"><rect x="%d" y="%d" width="%d" height="%d" rx="4"/>`, class, x, y, size, size)
	switch class {
	case "held":
		fmt.Fprintf(b, `<path d="M%d %dh%d"/>`, x+5, y+size/2, size-10)
	case "chosen":
		fmt.Fprintf(b, `<path d="M%d %dl4 5l7 -9"/>`, x+5, y+size/2)
	case "own chosen":
		fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="%d"/>`, x+size/2, y+size/2, size/4)
	}
	b.WriteString("</g>\n")
}
