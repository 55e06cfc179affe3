package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"happening/internal/event"
)

// maxSeatGroups bounds how many rows of seats a message spells out; a party
// of hundreds sees the rest on its booking's page.
const maxSeatGroups = 12

// SeatLabels spells seats out by row: "Row A · Seats 3–5, 8; Row B · Seat 21",
// after the section where the layout has names for them.
func SeatLabels(layout *event.Layout, seats []int32) string {
	if len(seats) == 0 {
		return "no seats"
	}
	sorted := slices.Clone(seats)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var groups []string
	for len(sorted) > 0 {
		if len(groups) == maxSeatGroups {
			return fmt.Sprintf("%s and %d more", strings.Join(groups, "; "), len(sorted))
		}
		at := layout.Place(sorted[0])
		numbers := []int32{at.Number}
		for n := 1; n < len(sorted); n++ {
			next := layout.Place(sorted[n])
			if next.Section != at.Section || next.Row != at.Row {
				break
			}
			numbers = append(numbers, next.Number)
		}
		group := "Row " + at.Row + " · " + plural(len(numbers), "Seat ", "Seats ") + ranges(numbers)
		if at.Section != "" {
			group = at.Section + " · " + group
		}
		groups = append(groups, group)
		sorted = sorted[len(numbers):]
	}
	return strings.Join(groups, "; ")
}

// ranges joins rising numbers, three and more in a run as first–last.
func ranges(numbers []int32) string {
	var b strings.Builder
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		if last == i+1 {
			last = i
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(numbers[i])))
		if last > i {
			b.WriteString("–" + strconv.Itoa(int(numbers[last])))
		}
		i = last + 1
	}
	return b.String()
}

// zones keeps loaded time zones: loading one reads a file, and a batch of
// facts may have hundreds of events. It holds known zones only, so the zone
// database bounds it.
var zones sync.Map

// zone gives the location of an IANA zone; UTC for one that is not known.
func zone(name string) *time.Location {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	zones.Store(name, loc)
	return loc
}
