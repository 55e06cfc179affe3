package booking

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"happening/internal/event"
)

var (
	simSeed  = flag.Uint64("seed", 0, "replay this seed of the simulation")
	simSteps = flag.String("steps", "", "with -seed: only these steps, for instance 3,17-20")
)

// simLength is how many steps a seed has.
const simLength = 1000

// runSim runs steps of a seed and gives what went wrong, if anything.
func runSim(t *testing.T, seed uint64, steps []int, given simConditions, trace func(string)) (failed *simFailure, w *simWorld) {
	t.Helper()
	at := 0
	synctest.Test(t, func(*testing.T) {
		defer func() {
			p := recover()
			if f, ours := p.(simFailure); ours {
				failed = &f
			} else if p != nil {
				failed = &simFailure{what: fmt.Sprint("panic: ", p)}
			}
			if w != nil {
				w.release()
			}
		}()
		w = newSimWorld(seed, given)
		w.trace = trace
		for at = range steps {
			w.step(steps[at])
		}
	})
	if failed != nil {
		failed.after = at
	}
	return failed, w
}

func allSteps(n int) []int {
	steps := make([]int, n)
	for i := range steps {
		steps[i] = i
	}
	return steps
}

// TestSimulation drives events, processes and a faulty database through seeds
// and judges every answer by the model. A failing seed is shrunk, and told with
// the command that replays it.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		replaySim(t, *simSeed)
		return
	}
	met := map[string]int{}
	for seed := uint64(1); seed <= uint64(simSeeds); seed++ {
		failed, w := runSim(t, seed, allSteps(simLength), simConditions{}, nil)
		if failed != nil {
			steps := shrinkSim(t, seed, failed.after, simConditions{})
			failed, _ = runSim(t, seed, steps, simConditions{}, nil)
			t.Fatalf("seed %d fails after %d of %d steps: %s\nreplay it with: go test ./internal/booking -run 'TestSimulation$' -v -seed %d -steps %s",
				seed, failed.after, len(steps), failed.what, seed, formatSteps(steps))
		}
		for k, v := range w.met {
			met[k] += v
		}
	}
	t.Log(met)
	if simSeeds < simMeetsAll {
		return
	}
	for _, what := range simMustMeet {
		if met[what] == 0 {
			t.Errorf("nothing of this was met, so nothing of it is shown: %s", what)
		}
	}
}

// simMeetsAll is how many seeds are enough to meet also what is rare.
const simMeetsAll = 300

// simMustMeet is what as many seeds have to lead to.
var simMustMeet = append([]string{
	"interleaved", "decided on an old version", "given up while queued", "sent again", "booked for somebody", "resolved by its key", "caught up", "database away",
	"written late", "too late to be written", "answered from a key",
	"decided early", "not to be refused early", "given up before it was refused", "decided beside a refusal", "another sold before an early refusal",
	"answered ", "answered access", "answered booking_cancelled", "answered booking_not_confirmed", "answered booking_not_waiting", "answered capacity_below_sold", "answered duplicate_request",
	"answered event_not_bookable", "answered idempotency_key_reused", "answered invalid", "answered not_found", "answered org_suspended",
	"answered seat_limit", "answered seats_held", "answered seats_not_in_booking", "answered seats_unavailable", "answered sold_out", "answered too_large_left",
	"answered unavailable", "answered waitlist_first", "answered waitlist_full",
}, simFaultNames[1:]...)

// TestSimulationReplays shows that a seed means one thing, also where steps are
// left out.
func TestSimulationReplays(t *testing.T) {
	some := []int{3, 5, 6, 7, 20, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49}
	for seed := uint64(1); seed <= 10; seed++ {
		for _, steps := range [][]int{allSteps(300), some} {
			_, first := runSim(t, seed, steps, simConditions{}, nil)
			_, second := runSim(t, seed, steps, simConditions{}, nil)
			if first.digest != second.digest || first.digest == 0 {
				t.Errorf("seed %d: two runs end with %x and %x", seed, first.digest, second.digest)
			}
		}
	}
	if steps, err := parseSteps(formatSteps(some)); err != nil || !slices.Equal(steps, some) {
		t.Errorf("%s is read as %v, %v", formatSteps(some), steps, err)
	}
}

// simControls take one guard away each.
var simControls = map[string]simConditions{
	"version check":                    {unversioned: true},
	"found after a lost answer":        {blind: true},
	"fence after a lost answer":        {unfenced: true},
	"lost answers are unknown":         {guessing: true},
	"idempotency look-up":              {keyless: true},
	"refusals held against the books":  {trusting: true},
	"early refusals held against them": {trustingEarly: true},
	"keys of refused orders":           {keysForgotten: true},
	"refusals from what is written":    {hasty: true},
	"catching up whole":                {forgetful: true},
	"undo":                             {sticky: true},
	"strict overtakes nobody":          {mutant: func(d *decision) { d.inv.WaitlistPolicy = event.Fit }},
	"fit serves who fits":              {mutant: func(d *decision) { d.inv.WaitlistPolicy = event.Strict }},
	"limit a person":                   {mutant: func(d *decision) { d.inv.MaxSeatsPerUser = 0 }},
	"limit of the waitlist":            {mutant: func(d *decision) { d.inv.WaitlistLimit = event.WaitlistLimit{} }},
	"holds of others":                  {mutant: func(d *decision) { d.holds = NewChoices(HoldView{}, d.inv) }},
	"an event that has begun":          {mutant: func(d *decision) { d.now = d.inv.StartsAt.Add(-time.Second) }},
	"a suspended organization":         {mutant: func(d *decision) { d.inv.OrgSuspended = false }},
	"a cancelled event":                {mutant: func(d *decision) { d.inv.CancelledAt = time.Time{} }},
	"an event that is hidden":          {mutant: func(d *decision) { d.inv.Visibility = event.Public }},
	"requests sent twice":              {mutant: func(d *decision) { clear(d.inv.asked) }},
	"seats that are off sale":          {mutant: func(d *decision) { d.inv.seats.unblock(d.inv.seats.blocked.list()) }},
	"rows as they lie":                 {mutant: func(d *decision) { d.inv.seats.rowPlan = newRowPlan(d.inv.seats.total, nil) }},
	"freed seats go to those who wait": {maimed: servesNobody},
	"a party is never split":           {maimed: splits},
}

// servesNobody takes promotions back.
func servesNobody(d *decision) {
	for i := range d.changes {
		if d.changes[i].Action == ActPromoted {
			d.inv.Revert(d.changes[i:])
			d.changes = d.changes[:i]
			return
		}
	}
}

// splits gives a promoted party one seat less.
func splits(d *decision) {
	last := len(d.changes) - 1
	if last < 0 || d.changes[last].Action != ActPromoted || d.changes[last].After.Seats < 2 {
		return
	}
	c := d.changes[last]
	d.inv.Revert(d.changes[last:])
	c.After.Seats--
	c.After.SeatNumbers = c.After.SeatNumbers[:c.After.Seats]
	d.inv.apply(&c)
	d.changes[last] = c
}

// simControlSeeds bounds the seeds in which the lack of a guard must be seen.
const simControlSeeds = 40

// TestSimulationShrinks shows that what is left of a failing seed still fails,
// and is little.
func TestSimulationShrinks(t *testing.T) {
	given := simControls["lost answers are unknown"]
	for seed := uint64(1); seed <= simControlSeeds; seed++ {
		failed, _ := runSim(t, seed, allSteps(simLength), given, nil)
		if failed == nil {
			continue
		}
		steps := shrinkSim(t, seed, failed.after, given)
		again, _ := runSim(t, seed, steps, given, nil)
		if again == nil || len(steps) > 20 {
			t.Errorf("seed %d fails at step %d, and with %d steps left: %v", seed, failed.after, len(steps), again)
		}
		return
	}
	t.Error("no seed fails: nothing is shown")
}

// TestSimulationFailsWithoutGuards takes one guard away at a time: some seed
// must notice.
func TestSimulationFailsWithoutGuards(t *testing.T) {
	for name, given := range simControls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= simControlSeeds; seed++ {
				if failed, _ := runSim(t, seed, allSteps(simLength), given, nil); failed != nil {
					t.Logf("seed %d, step %d: %s", seed, failed.after, failed.what)
					return
				}
			}
			t.Errorf("%d seeds notice nothing", simControlSeeds)
		})
	}
}

// replaySim runs one seed, or some of its steps, and tells everything.
func replaySim(t *testing.T, seed uint64) {
	steps, err := parseSteps(*simSteps)
	if err != nil {
		t.Fatal(err)
	}
	if failed, _ := runSim(t, seed, steps, simConditions{}, func(line string) { t.Log(line) }); failed != nil {
		t.Fatalf("after %d steps: %s", failed.after, failed.what)
	}
}

// shrinkSim leaves out steps for as long as the seed still fails without them,
// larger parts first.
func shrinkSim(t *testing.T, seed uint64, after int, given simConditions) []int {
	steps := allSteps(after + 1)
	for part := len(steps) / 2; part > 0; {
		left := false
		for from := 0; from < len(steps); {
			fewer := append(slices.Clone(steps[:from]), steps[min(len(steps), from+part):]...)
			if failed, _ := runSim(t, seed, fewer, given, nil); failed != nil {
				steps, left = fewer[:min(len(fewer), failed.after+1)], true
			} else {
				from += part
			}
		}
		if !left {
			part /= 2
		}
	}
	return steps
}

// formatSteps writes rising numbers as parseSteps reads them.
func formatSteps(steps []int) string {
	var parts []string
	for i := 0; i < len(steps); {
		j := i
		for j+1 < len(steps) && steps[j+1] == steps[j]+1 {
			j++
		}
		if part := strconv.Itoa(steps[i]); j == i {
			parts = append(parts, part)
		} else {
			parts = append(parts, part+"-"+strconv.Itoa(steps[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// parseSteps reads 3,17-20; nothing means all steps.
func parseSteps(text string) ([]int, error) {
	if text == "" {
		return allSteps(simLength), nil
	}
	var steps []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil {
			return nil, fmt.Errorf("-steps %q: %w", text, err)
		}
		for i := from; i <= to; i++ {
			steps = append(steps, i)
		}
	}
	return steps, nil
}
