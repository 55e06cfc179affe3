package redis

import (
	"context"
	"crypto/sha1" // a digest that Lua in Redis has, too
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
)

const (
	// maxInline is how long a waitlist may be to be written by one script.
	maxInline = 1_000
	// chunk is how many people are pushed by one command.
	chunk = 1_000
	// window bounds the part of a waitlist that one comparison reads; a longer
	// one is compared in turns.
	window = 20_000
	// buildKept ends a list that was never finished.
	buildKept = time.Minute
)

// turns moves the window over long waitlists.
var turns atomic.Uint64

// Compare implements booking.Mirror. All events are asked in few round trips;
// those that differ are written whole.
func (s *Store) Compare(ctx context.Context, figures []booking.Figures) ([]booking.Difference, error) {
	var found []booking.Difference
	for from := 0; from < len(figures); from += maxPipelined {
		part := figures[from:min(from+maxPipelined, len(figures))]
		differ, err := s.compare(ctx, part)
		found = append(found, differ...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (s *Store) compare(ctx context.Context, figures []booking.Figures) (found []booking.Difference, err error) {
	calls := make([]call, len(figures))
	turn := turns.Add(1)
	for i := range figures {
		calls[i] = comparison(&figures[i], turn)
	}
	answers, err := s.run(ctx, bulkPatience, calls...)
	if err != nil {
		return nil, holdsAway(err)
	}
	const (
		equal = iota
		differs
		ahead
	)
	for i := range figures {
		r := reading(answers[i])
		kind, version, slots, waiting := r.number(), r.number(), r.text(), r.number()
		if r.bad {
			return found, holdsAway(errAnswer)
		}
		if kind == equal {
			continue
		}
		found = append(found, booking.Difference{
			EventID: figures[i].EventID, Version: version, Ahead: kind == ahead, Had: describe(slots, waiting), Figures: figures[i],
		})
		if kind == differs {
			if err := s.write(ctx, bulkPatience, figures[i], true, 0); err != nil {
				return found, holdsAway(err)
			}
		}
	}
	return found, nil
}

func comparison(f *booking.Figures, turn uint64) call {
	begin, end := 0, len(f.Waitlist)
	if windows := (end + window - 1) / window; windows > 1 {
		begin = int(turn%uint64(windows)) * window
		end = min(begin+window, end)
	}
	digest := ""
	if end > begin {
		sum := sha1.Sum([]byte(joined(f.Waitlist[begin:end]))) // see above
		digest = hex.EncodeToString(sum[:])
	}
	keys := mirrorKeys(f.EventID)
	return call{script: compareScript, keys: keys, owned: ownedKeys(f.EventID), args: []string{
		strconv.FormatInt(f.Version, 10), strconv.FormatInt(int64(f.Available), 10), strconv.Itoa(len(f.Waitlist)),
		strconv.Itoa(begin), strconv.Itoa(end - 1), digest,
	}}
}

func joined(people []uuid.UUID) string {
	var b strings.Builder
	b.Grow(len(people) * uuidLength)
	for _, id := range people {
		b.WriteString(id.String())
	}
	return b.String()
}

func describe(slots string, waiting int64) string {
	if slots == "" {
		if waiting == 0 {
			return "nothing"
		}
		slots = "unknown"
	}
	return fmt.Sprintf("available %s, waiting %d", slots, waiting)
}

// Correct implements booking.Mirror.
func (s *Store) Correct(ctx context.Context, ahead booking.Difference, truth booking.Figures) error {
	if err := s.write(ctx, bulkPatience, truth, true, ahead.Version); err != nil {
		return holdsAway(err)
	}
	return nil
}

func mirrorKeys(id uuid.UUID) []string {
	return []string{eventKey(id, "slots"), eventKey(id, "waitlist"), eventKey(id, "live")}
}

// write brings counter and waitlist to the figures at once, unless the mirror
// is newer; again: or equal; claimed above zero: if it still claims that
// version. A long waitlist is built under a key of its own first.
func (s *Store) write(ctx context.Context, within time.Duration, f booking.Figures, again bool, claimed int64) error {
	build := eventKey(f.EventID, "waitlist:"+randomWord())
	inline, built := f.Waitlist, 0
	if len(f.Waitlist) > maxInline {
		inline, built = nil, len(f.Waitlist)
		if err := s.build(ctx, within, build, f.Waitlist); err != nil {
			return err
		}
	}
	args := make([]string, 0, 6+len(inline))
	args = append(args, strconv.FormatInt(f.Version, 10), strconv.FormatInt(int64(f.Available), 10),
		strconv.Itoa(len(f.Waitlist)), strconv.Itoa(built), flag(again), strconv.FormatInt(claimed, 10))
	for _, id := range inline {
		args = append(args, id.String())
	}
	answers, err := s.run(ctx, within, call{
		script: wholeScript, keys: append(mirrorKeys(f.EventID), build), owned: ownedKeys(f.EventID), args: args,
	})
	if err != nil {
		return err
	}
	if written, err := answers[0].AsInt64(); err != nil || written < 0 {
		return errors.New("redis: a waitlist was not written whole")
	}
	return nil
}

var buildScript = loadBare("build")

// build pushes a long waitlist in chunks under a key that ends by itself, from
// its first chunk on.
func (s *Store) build(ctx context.Context, within time.Duration, key string, people []uuid.UUID) error {
	deadline := time.Now().Add(within)
	for ids := range slices.Chunk(people, chunk) {
		args := append(make([]string, 0, 1+len(ids)), strconv.FormatInt(buildKept.Milliseconds(), 10))
		for _, id := range ids {
			args = append(args, id.String())
		}
		if _, err := s.run(ctx, time.Until(deadline), call{script: buildScript, keys: []string{key}, args: args}); err != nil {
			return err
		}
	}
	return nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
