package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
	"happening/internal/fault"
)

var (
	now = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	id  = uuid.MustParse("0190a000-0000-7000-8000-000000000001")
	org = uuid.MustParse("0190a000-0000-7000-8000-000000000002")
	me  = uuid.MustParse("0190a000-0000-7000-8000-000000000003")
)

func ptr[T any](v T) *T { return &v }

func draft() event.Draft {
	return event.Draft{
		OrgID: org, Name: "Go evening", Description: "Talks *and* soup", Category: "meetup", Venue: "Old mill",
		StartsAt: now.Add(time.Hour), EndsAt: now.Add(3 * time.Hour), TimeZone: "Europe/Berlin", TotalSlots: 40,
	}
}

// fieldsOf gives the names of the bad fields, in order.
func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		t.Fatalf("got %v, want bad fields", err)
	}
	var names []string
	for _, field := range f.Fields {
		if field.Message == "" {
			t.Errorf("%s is refused without a word", field.Name)
		}
		names = append(names, field.Name)
	}
	slices.Sort(names)
	return names
}

// inputs are tried on a new event and on a change alike.
var inputs = []struct {
	name  string
	patch event.Patch
	bad   []string
}{
	{"nothing", event.Patch{}, nil},
	{"no name", event.Patch{Name: ptr("")}, []string{"name"}},
	{"blank name", event.Patch{Name: ptr(" \u00a0\t ")}, []string{"name"}},
	{"longest name", event.Patch{Name: ptr(strings.Repeat("ü", 200))}, nil},
	{"too long a name", event.Patch{Name: ptr(strings.Repeat("u", 201))}, []string{"name"}},
	{"name of two lines", event.Patch{Name: ptr("a\nb")}, []string{"name"}},
	{"name that no database stores", event.Patch{Name: ptr("a\x00b")}, []string{"name"}},
	{"name that is no text", event.Patch{Name: ptr("a\xffb")}, []string{"name"}},
	{"invisible name", event.Patch{Name: ptr("\u3164\u2800")}, []string{"name"}},
	{"name with a zero-width space", event.Patch{Name: ptr("Go\u200bevening")}, []string{"name"}},
	{"name that turns round", event.Patch{Name: ptr("Go \u202egninnive")}, []string{"name"}},
	{"name in emoji", event.Patch{Name: ptr("👩🏽\u200d💻 evening")}, nil},
	{"venue of two lines", event.Patch{Venue: ptr("a\u2028b")}, []string{"venue"}},
	{"invisible venue", event.Patch{Venue: ptr("\u2800")}, []string{"venue"}},
	{"description that turns round", event.Patch{Description: ptr("a\u2066b")}, []string{"description"}},
	{"description of paragraphs by separator", event.Patch{Description: ptr("a\u2029b")}, []string{"description"}},
	{"Persian description", event.Patch{Description: ptr("می\u200cخواهم\nبروم")}, nil},
	{"longest description", event.Patch{Description: ptr(strings.Repeat("é", 20_000))}, nil},
	{"too long a description", event.Patch{Description: ptr(strings.Repeat("e", 20_001))}, []string{"description"}},
	{"description of a megabyte", event.Patch{Description: ptr(strings.Repeat("e", 1<<20))}, []string{"description"}},
	{"description with HTML stays text", event.Patch{Description: ptr("<b>\r\n\tbold</b>")}, nil},
	{"description that no database stores", event.Patch{Description: ptr("a\x00")}, []string{"description"}},
	{"no category", event.Patch{Category: ptr("")}, []string{"category"}},
	{"category of one letter", event.Patch{Category: ptr("a")}, []string{"category"}},
	{"longest category", event.Patch{Category: ptr("a" + strings.Repeat("b", 30))}, nil},
	{"too long a category", event.Patch{Category: ptr("a" + strings.Repeat("b", 31))}, []string{"category"}},
	{"category in capitals", event.Patch{Category: ptr("Meetup")}, []string{"category"}},
	{"category with a line end", event.Patch{Category: ptr("meetup\n")}, []string{"category"}},
	{"no venue", event.Patch{Venue: ptr("")}, nil},
	{"too long a venue", event.Patch{Venue: ptr(strings.Repeat("v", 301))}, []string{"venue"}},
	{"no start", event.Patch{StartsAt: &time.Time{}}, []string{"starts_at"}},
	{"start now", event.Patch{StartsAt: ptr(now)}, []string{"starts_at"}},
	{"start in the past", event.Patch{StartsAt: ptr(now.Add(-time.Minute))}, []string{"starts_at"}},
	{"start in the next microsecond", event.Patch{StartsAt: ptr(now.Add(time.Microsecond))}, nil},
	{"start in another zone", event.Patch{StartsAt: ptr(now.Add(time.Hour).In(time.FixedZone("", 5*3600)))}, nil},
	{"start too far ahead", event.Patch{StartsAt: ptr(now.AddDate(51, 0, 0)), EndsAt: ptr(now.AddDate(51, 0, 1))}, []string{"ends_at", "starts_at"}},
	{"no end", event.Patch{EndsAt: &time.Time{}}, []string{"ends_at"}},
	{"end at the start", event.Patch{EndsAt: ptr(now.Add(time.Hour))}, []string{"ends_at"}},
	{"end before the start", event.Patch{EndsAt: ptr(now.Add(time.Minute))}, []string{"ends_at"}},
	{"start after the end", event.Patch{StartsAt: ptr(now.Add(4 * time.Hour))}, []string{"ends_at"}},
	{"end in the year 9999", event.Patch{EndsAt: ptr(time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -12*3600)))}, []string{"ends_at"}},
	{"UTC", event.Patch{TimeZone: ptr("UTC")}, nil},
	{"zone of three parts", event.Patch{TimeZone: ptr("America/Argentina/Buenos_Aires")}, nil},
	{"zone with an offset", event.Patch{TimeZone: ptr("Etc/GMT+12")}, nil},
	{"no zone", event.Patch{TimeZone: ptr("")}, []string{"time_zone"}},
	{"unknown zone", event.Patch{TimeZone: ptr("Europe/Atlantis")}, []string{"time_zone"}},
	{"the machine's zone", event.Patch{TimeZone: ptr("Local")}, []string{"time_zone"}},
	{"a file among the zones", event.Patch{TimeZone: ptr("posix/Europe/Berlin")}, []string{"time_zone"}},
	{"a path", event.Patch{TimeZone: ptr("../Europe/Berlin")}, []string{"time_zone"}},
	{"no seats", event.Patch{TotalSlots: ptr(int64(0))}, []string{"total_slots"}},
	{"fewer than no seats", event.Patch{TotalSlots: ptr(int64(-1))}, []string{"total_slots"}},
	{"one seat", event.Patch{TotalSlots: ptr(int64(1))}, nil},
	{"most seats", event.Patch{TotalSlots: ptr(int64(1_000_000))}, nil},
	{"too many seats", event.Patch{TotalSlots: ptr(int64(1_000_001))}, []string{"total_slots"}},
	{"seats that would wrap around", event.Patch{TotalSlots: ptr(int64(math.MaxUint32 + 2))}, []string{"total_slots"}},
	{"no limit", event.Patch{MaxSeatsPerUser: event.NoLimit()}, nil},
	{"no limit of the waitlist", event.Patch{WaitlistLimit: event.NoLimit()}, nil},
	{"no waitlist", event.Patch{WaitlistLimit: event.LimitOf(0)}, nil},
	{"longest waitlist", event.Patch{WaitlistLimit: event.LimitOf(10_000_000)}, nil},
	{"too long a waitlist", event.Patch{WaitlistLimit: event.LimitOf(10_000_001)}, []string{"waitlist_limit"}},
	{"waitlist below none", event.Patch{WaitlistLimit: event.LimitOf(-1)}, []string{"waitlist_limit"}},
	{"waitlist that would wrap around", event.Patch{WaitlistLimit: event.LimitOf(math.MaxUint32 + 2)}, []string{"waitlist_limit"}},
	{"limit of one", event.Patch{MaxSeatsPerUser: event.LimitOf(1)}, nil},
	{"limit of none", event.Patch{MaxSeatsPerUser: event.LimitOf(0)}, []string{"max_seats_per_user"}},
	{"limit that would wrap around", event.Patch{MaxSeatsPerUser: event.LimitOf(math.MaxUint32 + 2)}, []string{"max_seats_per_user"}},
	{"members only", event.Patch{Visibility: ptr(event.Members)}, nil},
	{"unknown visibility", event.Patch{Visibility: ptr(event.Visibility("secret"))}, []string{"visibility"}},
	{"fit", event.Patch{WaitlistPolicy: ptr(event.Fit)}, nil},
	{"unknown policy", event.Patch{WaitlistPolicy: ptr(event.WaitlistPolicy("random"))}, []string{"waitlist_policy"}},
	{
		"everything at once",
		event.Patch{
			Name: ptr(""), Description: ptr("\x00"), Category: ptr("!"), Venue: ptr("a\nb"), StartsAt: ptr(now), EndsAt: &time.Time{},
			TimeZone: ptr("x"), TotalSlots: ptr(int64(0)), MaxSeatsPerUser: event.LimitOf(-1), Visibility: ptr(event.Visibility("x")), WaitlistPolicy: ptr(event.WaitlistPolicy("x")),
		},
		[]string{"category", "description", "ends_at", "max_seats_per_user", "name", "starts_at", "time_zone", "total_slots", "venue", "visibility", "waitlist_policy"},
	},
}

func TestInputs(t *testing.T) {
	for _, in := range inputs {
		t.Run("change/"+in.name, func(t *testing.T) {
			e, err := event.New(draft(), id, me, now)
			if err != nil {
				t.Fatal(err)
			}
			after, err := event.Apply(e, in.patch, now)
			if got := fieldsOf(t, err); !slices.Equal(got, in.bad) {
				t.Errorf("bad fields: got %v, want %v", got, in.bad)
			}
			if err != nil && after != (event.Event{}) {
				t.Error("a refused change gives an event")
			}
		})
		t.Run("new/"+in.name, func(t *testing.T) {
			_, err := event.New(fill(draft(), in.patch), id, me, now)
			bad := slices.DeleteFunc(slices.Clone(in.bad), func(name string) bool {
				// An empty choice in a draft is the default.
				return name == "visibility" && *in.patch.Visibility == "" || name == "waitlist_policy" && *in.patch.WaitlistPolicy == ""
			})
			if got := fieldsOf(t, err); !slices.Equal(got, bad) {
				t.Errorf("bad fields: got %v, want %v", got, bad)
			}
		})
	}
}

// fill puts a patch over a draft.
func fill(d event.Draft, p event.Patch) event.Draft {
	set(&d.Name, p.Name)
	set(&d.Description, p.Description)
	set(&d.Category, p.Category)
	set(&d.Venue, p.Venue)
	set(&d.StartsAt, p.StartsAt)
	set(&d.EndsAt, p.EndsAt)
	set(&d.TimeZone, p.TimeZone)
	set(&d.TotalSlots, p.TotalSlots)
	set(&d.Visibility, p.Visibility)
	set(&d.WaitlistPolicy, p.WaitlistPolicy)
	if p.WaitlistLimit.Given {
		d.WaitlistLimit = p.WaitlistLimit
	}
	if p.MaxSeatsPerUser.Given {
		d.MaxSeatsPerUser = p.MaxSeatsPerUser
	}
	return d
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func TestANewEventHasTheDefaultsAndTidyValues(t *testing.T) {
	d := draft()
	d.Name = "  Go evening "
	d.StartsAt = time.Date(2031, 5, 1, 15, 0, 0, 123_456_789, time.FixedZone("", 2*3600))
	e, err := event.New(d, id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	if e.Visibility != event.Public || e.WaitlistPolicy != event.Strict || e.MaxSeatsPerUser != event.DefaultMaxSeatsPerUser ||
		e.WaitlistLimit != event.AtMost(400) {
		t.Errorf("defaults: %+v", e.Settings)
	}
	if e.Name != "Go evening" || e.AvailableSlots != 40 || e.Revision != 1 || e.Version != 1 || e.CreatedBy != me {
		t.Errorf("got %+v", e)
	}
	if want := time.Date(2031, 5, 1, 13, 0, 0, 123_456_000, time.UTC); e.StartsAt != want {
		t.Errorf("start: got %v, want %v", e.StartsAt, want)
	}
}

func TestApply(t *testing.T) {
	fresh, err := event.New(draft(), id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, err := event.Cancel(fresh, now)
	if err != nil {
		t.Fatal(err)
	}
	before, during, over := now, now.Add(2*time.Hour), now.Add(4*time.Hour)
	for _, c := range []struct {
		name  string
		event event.Event
		patch event.Patch
		at    time.Time
		want  error
		field string
	}{
		{"rename", fresh, event.Patch{Name: ptr("Rust evening")}, before, nil, ""},
		{"move", fresh, event.Patch{StartsAt: ptr(now.Add(30 * time.Minute))}, before, nil, ""},
		{"move into the past", fresh, event.Patch{StartsAt: ptr(now.Add(-time.Hour))}, before, nil, "starts_at"},
		{"rename while it runs", fresh, event.Patch{Name: ptr("Rust evening")}, during, nil, ""},
		{"times said again while it runs", fresh, event.Patch{Name: ptr("Rust evening"), StartsAt: ptr(fresh.StartsAt.Local()), EndsAt: &fresh.EndsAt, TimeZone: &fresh.TimeZone}, during, nil, ""},
		{"later end while it runs", fresh, event.Patch{EndsAt: ptr(fresh.EndsAt.Add(time.Hour))}, during, nil, ""},
		{"later end when over", fresh, event.Patch{EndsAt: ptr(fresh.EndsAt.Add(time.Minute))}, over, nil, ""},
		{"earlier end while it runs", fresh, event.Patch{EndsAt: ptr(fresh.EndsAt.Add(-time.Minute))}, during, event.ErrStarted, ""},
		{"later start while it runs", fresh, event.Patch{StartsAt: ptr(over)}, during, event.ErrStarted, ""},
		{"earlier start while it runs", fresh, event.Patch{StartsAt: ptr(now)}, during, event.ErrStarted, ""},
		{"no start while it runs", fresh, event.Patch{StartsAt: &time.Time{}}, during, event.ErrStarted, ""},
		{"start at the very start", fresh, event.Patch{StartsAt: ptr(over)}, fresh.StartsAt, event.ErrStarted, ""},
		{"other zone while it runs", fresh, event.Patch{TimeZone: ptr("UTC")}, during, event.ErrStarted, ""},
		{"rename when cancelled", cancelled, event.Patch{Name: ptr("Rust evening")}, before, event.ErrCancelled, ""},
		{"nothing when cancelled", cancelled, event.Patch{}, before, event.ErrCancelled, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, err := event.Apply(c.event, c.patch, c.at)
			switch {
			case c.field != "":
				if got := fieldsOf(t, err); !slices.Equal(got, []string{c.field}) {
					t.Errorf("bad fields: got %v, want %s", got, c.field)
				}
			case !errors.Is(err, c.want):
				t.Errorf("got %v, want %v", err, c.want)
			case err == nil && (after.Revision != c.event.Revision+1 || !after.UpdatedAt.Equal(c.at)):
				t.Errorf("revision %d at %v, want the next one at %v", after.Revision, after.UpdatedAt, c.at)
			}
		})
	}
}

func TestAPatchThatChangesNothingKeepsTheRevision(t *testing.T) {
	e, err := event.New(draft(), id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	same := event.Patch{
		Name: ptr(" " + e.Name), StartsAt: ptr(e.StartsAt.In(time.FixedZone("", 3600))), TotalSlots: ptr(int64(e.TotalSlots)),
		MaxSeatsPerUser: event.LimitOf(int64(e.MaxSeatsPerUser)), Visibility: &e.Visibility, WaitlistLimit: event.LimitOf(400),
	}
	if after, err := event.Apply(e, same, now.Add(time.Minute)); err != nil || after != e {
		t.Errorf("got %+v, %v", after, err)
	}
}

func TestApplyLeavesCapacityToTheBookingRoom(t *testing.T) {
	e, err := event.New(draft(), id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	e.AvailableSlots = 7
	after, err := event.Apply(e, event.Patch{TotalSlots: ptr(int64(50)), MaxSeatsPerUser: event.NoLimit()}, now)
	if err != nil || after.TotalSlots != 50 || after.AvailableSlots != 7 || after.MaxSeatsPerUser != 0 || after.WaitlistLimit != event.AtMost(400) {
		t.Errorf("got %+v, %v", after, err)
	}
}

func TestCancel(t *testing.T) {
	e, err := event.New(draft(), id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	running, err := event.Cancel(e, now.Add(2*time.Hour))
	if err != nil || running.StatusAt(now) != event.Cancelled || running.Revision != 2 {
		t.Errorf("while it runs: got %+v, %v", running, err)
	}
	if _, err := event.Cancel(running, now.Add(3*time.Hour)); !errors.Is(err, event.ErrCancelled) {
		t.Errorf("twice: got %v", err)
	}
	if _, err := event.Cancel(e, e.EndsAt); !errors.Is(err, event.ErrCompleted) {
		t.Errorf("when over: got %v", err)
	}
}

func TestStatusFollowsTheClock(t *testing.T) {
	e, err := event.New(draft(), id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Time
		want event.Status
	}{
		{e.StartsAt.Add(-1), event.Upcoming}, {e.StartsAt, event.Ongoing},
		{e.EndsAt.Add(-1), event.Ongoing}, {e.EndsAt, event.Completed},
	} {
		if got := e.StatusAt(c.at); got != c.want {
			t.Errorf("at %v: got %s, want %s", c.at, got, c.want)
		}
	}
}

// TestStatusKnowsNoWallClock has events begin in the hour that is there twice
// and in the one that is not there: what counts is the moment. Who compared what
// clocks on the wall show would be wrong about each of them.
func TestStatusKnowsNoWallClock(t *testing.T) {
	for _, c := range []struct{ starts, at string }{
		{"2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"}, // the first half past two
		{"2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"}, // the second
		{"2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00Z"}, // by the clocks half past three
	} {
		var e event.Settings
		for into, text := range map[*time.Time]string{&e.StartsAt: c.starts, &e.EndsAt: c.at} {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			*into = at
		}
		at := e.EndsAt
		e.EndsAt = at.Add(15 * time.Minute)
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		byTheWall := func(now time.Time) event.Status {
			switch shown := now.In(berlin).Format("2006-01-02T15:04:05"); {
			case shown < c.starts[:len(shown)]:
				return event.Upcoming
			case shown < c.starts[:len("2006-01-02T15:")]+"45:00":
				return event.Ongoing
			}
			return event.Completed
		}
		misled := false
		for now, want := range map[time.Time]event.Status{
			at.Add(-time.Hour): event.Upcoming, at.Add(-1): event.Upcoming, at.In(berlin): event.Ongoing,
			at.Add(15 * time.Minute): event.Completed, at.Add(time.Hour).In(berlin): event.Completed,
		} {
			if got := e.StatusAt(now); got != want {
				t.Errorf("%s at %v: %s, want %s", c.starts, now, got, want)
			}
			misled = misled || byTheWall(now) != want
		}
		if !misled {
			t.Errorf("%s: clocks on the wall tell the same: nothing is shown", c.starts)
		}
	}
}

func TestTheFactSaysWhatChanged(t *testing.T) {
	e, err := event.New(draft(), id, me, now)
	if err != nil {
		t.Fatal(err)
	}
	after, err := event.Apply(e, event.Patch{Venue: ptr("New mill"), EndsAt: ptr(e.EndsAt.Add(time.Hour)), Description: ptr("")}, now)
	if err != nil {
		t.Fatal(err)
	}
	fact := event.UpdatedFrom(&e, &after, me)
	if want := []string{"ends_at", "venue"}; !slices.Equal(fact.Changed, want) {
		t.Errorf("changed: got %v, want %v", fact.Changed, want)
	}
	raw, err := json.Marshal(fact)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"event_id":"0190a000-0000-7000-8000-000000000001","org_id":"0190a000-0000-7000-8000-000000000002","actor_id":"0190a000-0000-7000-8000-000000000003","revision":2,` +
		`"changed":["ends_at","venue"],` +
		`"before":{"name":"Go evening","starts_at":"2031-05-01T13:00:00Z","ends_at":"2031-05-01T15:00:00Z","time_zone":"Europe/Berlin","venue":"Old mill"},` +
		`"after":{"name":"Go evening","starts_at":"2031-05-01T13:00:00Z","ends_at":"2031-05-01T16:00:00Z","time_zone":"Europe/Berlin","venue":"New mill"}}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	silent, err := event.Apply(e, event.Patch{Description: ptr("")}, now)
	if err != nil {
		t.Fatal(err)
	}
	if raw, _ := json.Marshal(event.UpdatedFrom(&e, &silent, me)); !strings.Contains(string(raw), `"changed":[]`) {
		t.Errorf("a new description is nothing to tell people of: %s", raw)
	}
}

func TestALimitTellsNullFromNothing(t *testing.T) {
	for in, want := range map[string]struct {
		given bool
		seats int64 // 0: null
		fails bool
	}{
		`{}`: {}, `{"l":null}`: {given: true}, `{"l":3}`: {given: true, seats: 3}, `{"l":2.5}`: {fails: true}, `{"l":"3"}`: {fails: true},
	} {
		var v struct {
			L event.Limit `json:"l"`
		}
		err := json.Unmarshal([]byte(in), &v)
		if (err != nil) != want.fails {
			t.Errorf("%s: %v", in, err)
		}
		if err != nil {
			continue
		}
		if v.L.Given != want.given || (v.L.Most != nil) != (want.seats != 0) || v.L.Most != nil && *v.L.Most != want.seats {
			t.Errorf("%s: got %+v", in, v.L)
		}
	}
}

func TestRowsOfTheDefaultLayout(t *testing.T) {
	for seat, want := range map[int32][2]string{
		-1: {"", ""}, 0: {"", ""}, 1: {"A", "A1"}, 20: {"A", "A20"}, 21: {"B", "B21"}, 520: {"Z", "Z520"}, 521: {"AA", "AA521"},
		14_040: {"ZZ", "ZZ14040"}, 14_041: {"AAA", "AAA14041"}, event.MaxTotalSlots: {"BUYB", "BUYB1000000"},
	} {
		if at := (*event.Layout)(nil).Place(seat); at.Row != want[0] || at.Label != want[1] || at.Section != "" {
			t.Errorf("seat %d: got %+v, want %s, %s", seat, at, want[0], want[1])
		}
	}
	if at := (*event.Layout)(nil).Place(math.MaxInt32); at.Row == "" {
		t.Error("the last number has no row")
	}
}

func TestLayoutsSayWhereSeatsLie(t *testing.T) {
	layout, err := event.NewLayout([]event.Section{
		{Name: " Stalls ", Rows: []event.Row{{Label: "A", Seats: 3}, {Label: "B", Seats: 2, First: 11}}},
		{Name: "Balcony", Rows: []event.Row{{Label: "A", Seats: 64}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for seat, want := range map[int32]event.Place{
		0: {}, 70: {},
		1: {Section: "Stalls", Row: "A", Number: 1, Label: "A1"}, 3: {Section: "Stalls", Row: "A", Number: 3, Label: "A3"},
		4: {Section: "Stalls", Row: "B", Number: 11, Label: "B11"}, 5: {Section: "Stalls", Row: "B", Number: 12, Label: "B12"},
		6: {Section: "Balcony", Row: "A", Number: 1, Label: "A1"}, 69: {Section: "Balcony", Row: "A", Number: 64, Label: "A64"},
	} {
		if got := layout.Place(seat); got != want {
			t.Errorf("seat %d lies at %+v, want %+v", seat, got, want)
		}
	}
	if got := layout.Starts(); layout.Seats() != 69 || !slices.Equal(got, []int32{0, 3, 5, 69}) {
		t.Errorf("%d seats in rows from %v", layout.Seats(), got)
	}
	stored, err := layout.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := event.ParseLayout(stored)
	if err != nil || again.Place(5) != layout.Place(5) || again.Seats() != 69 {
		t.Errorf("read again: %+v, %v", again, err)
	}
	e := event.Event{Revision: 4}
	if e, err = event.Arrange(e, layout, time.Now()); err != nil || e.TotalSlots != 69 || e.Revision != 5 || e.LayoutRevision != 5 {
		t.Fatalf("%+v, %v", e, err)
	}
	if same, err := event.Arrange(e, again, time.Now()); err != nil || same.Revision != 5 {
		t.Errorf("the same layout once more: revision %d, %v", same.Revision, err)
	}
	if rows, err := event.Arrange(e, nil, time.Now()); err != nil || rows.TotalSlots != 69 || rows.Revision != 6 || rows.LayoutRevision != 0 {
		t.Errorf("back in default rows: %+v, %v", rows, err)
	}
}

func TestBadLayoutsAreToldByField(t *testing.T) {
	row := func(label string, seats, first int32) event.Row {
		return event.Row{Label: label, Seats: seats, First: first}
	}
	many := make([]event.Row, event.MaxRows+1)
	seats := make([]event.Section, 1)
	for i := range event.MaxTotalSlots/event.MaxRowSeats + 1 {
		seats[0].Rows = append(seats[0].Rows, row(fmt.Sprint(i), event.MaxRowSeats, 0))
	}
	for name, c := range map[string]struct {
		sections []event.Section
		want     string
	}{
		"no sections":       {nil, "sections"},
		"too many sections": {make([]event.Section, event.MaxSections+1), "sections"},
		"too many rows":     {[]event.Section{{Rows: many}}, "sections"},
		"too many seats":    {seats, "sections"},
		"no rows":           {[]event.Section{{}}, "sections[0].rows"},
		"no name of two":    {[]event.Section{{Name: "A", Rows: []event.Row{row("1", 1, 0)}}, {Rows: []event.Row{row("1", 1, 0)}}}, "sections[1].name"},
		"a name twice":      {[]event.Section{{Name: "A", Rows: []event.Row{row("1", 1, 0)}}, {Name: "A ", Rows: []event.Row{row("1", 1, 0)}}}, "sections[1].name"},
		"a label twice":     {[]event.Section{{Rows: []event.Row{row("1", 1, 0), row("1", 1, 0)}}}, "sections[0].rows[1].label"},
		"no label":          {[]event.Section{{Rows: []event.Row{row(" ", 1, 0)}}}, "sections[0].rows[0].label"},
		"a long label":      {[]event.Section{{Rows: []event.Row{row(strings.Repeat("x", event.MaxRowLabel+1), 1, 0)}}}, "sections[0].rows[0].label"},
		"an empty row":      {[]event.Section{{Rows: []event.Row{row("1", 0, 0)}}}, "sections[0].rows[0].seats"},
		"a long row":        {[]event.Section{{Rows: []event.Row{row("1", event.MaxRowSeats+1, 0)}}}, "sections[0].rows[0].seats"},
		"a first below one": {[]event.Section{{Rows: []event.Row{row("1", 1, -1)}}}, "sections[0].rows[0].first"},
	} {
		_, err := event.NewLayout(c.sections)
		var bad *fault.Error
		if !errors.As(err, &bad) || len(bad.Fields) != 1 || bad.Fields[0].Name != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
