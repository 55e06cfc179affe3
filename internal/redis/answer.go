package redis

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"
)

// answer reads a script's answer field by field; bad says that one of them was
// not what it should be.
type answer struct {
	fields []rueidis.RedisMessage
	bad    bool
}

// group is a person and seats.
type group struct {
	userID uuid.UUID
	seats  []int32
}

func reading(m rueidis.RedisMessage) answer {
	fields, err := m.ToArray()
	return answer{fields: fields, bad: err != nil}
}

func (a *answer) next() (m rueidis.RedisMessage, ok bool) {
	if len(a.fields) == 0 {
		a.bad = true
		return m, false
	}
	m, a.fields = a.fields[0], a.fields[1:]
	return m, true
}

func (a *answer) number() int64 {
	m, ok := a.next()
	if !ok {
		return 0
	}
	n, err := m.AsInt64()
	a.bad = a.bad || err != nil
	return n
}

// clock reads Redis's time and remembers by how much it differs.
func (a *answer) clock(s *Store) int64 {
	now := a.number()
	if now > 0 && s.o.RedisTime == nil {
		s.skew.Store(now - time.Now().UnixMilli())
	}
	return now
}

func (a *answer) text() string {
	m, ok := a.next()
	if !ok {
		return ""
	}
	text, err := m.ToString()
	a.bad = a.bad || err != nil
	return text
}

func (a *answer) list() []rueidis.RedisMessage {
	m, ok := a.next()
	if !ok {
		return nil
	}
	list, err := m.ToArray()
	a.bad = a.bad || err != nil
	return list
}

// seats reads numbers of seats, which scripts give as numbers or as text.
func (a *answer) seats() []int32 { return a.numbers(a.list()) }

func (a *answer) numbers(list []rueidis.RedisMessage) []int32 {
	if len(list) == 0 {
		return nil
	}
	seats := make([]int32, len(list))
	for i := range list {
		n, err := list[i].AsInt64()
		a.bad = a.bad || err != nil
		seats[i] = int32(n)
	}
	return seats
}

func (a *answer) people() []uuid.UUID {
	var people []uuid.UUID
	for _, m := range a.list() {
		text, _ := m.ToString()
		if id, err := uuid.Parse(text); err == nil {
			people = append(people, id)
		}
	}
	return people
}

// groups reads whose holds on which seats have ended.
func (a *answer) groups() []group {
	var groups []group
	for _, m := range a.list() {
		list, err := m.ToArray()
		if err != nil || len(list) == 0 {
			a.bad = true
			continue
		}
		text, _ := list[0].ToString()
		id, _ := uuid.Parse(text) // the zero id for a holder that is not ours
		g := group{userID: id, seats: a.numbers(list[1:])}
		slices.Sort(g.seats)
		groups = append(groups, g)
	}
	return groups
}
