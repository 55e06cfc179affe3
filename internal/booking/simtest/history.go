package simtest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTimeout bounds the search for an order of one seat's operations. A
// history that can't be explained in that time counts as one that can't.
const checkTimeout = 30 * time.Second

// Span is when something was asked and answered, on any one clock that all who
// take part share: nanoseconds, or a counter of questions and answers.
type Span struct{ Asked, Told int64 }

// Lost is the span of a question that was never answered: what it asked for
// has happened at any time since, or never.
func Lost(asked int64) Span { return Span{asked, math.MaxInt64} }

// History collects what clients were told of seats, and judges whether there
// is an order of all that was asked, each thing at one moment between question
// and answer, in which every answer is right. It is safe for concurrent use.
// Seats and bookings go by any name that is theirs alone.
type History struct {
	mu    sync.Mutex
	seats map[string][]porcupine.Operation
}

type seatVerb int

const (
	took seatVerb = iota
	freed
	found
)

type seatAct struct {
	verb    seatVerb
	booking string
	taken   bool // of found
	lost    bool
}

// free and somebody are owners of a seat beside bookings by name; somebody is
// whoever took it without having been told.
const (
	free     = ""
	somebody = "?"
)

// Took notes that the seat became the booking's.
func (h *History) Took(seat, booking string, at Span) {
	h.add(seat, seatAct{verb: took, booking: booking}, at)
}

// MayHaveTaken notes a question for the seat that was never answered.
func (h *History) MayHaveTaken(seat string, asked int64) {
	h.add(seat, seatAct{verb: took, booking: somebody, lost: true}, Lost(asked))
}

// Freed notes that the booking gave the seat up.
func (h *History) Freed(seat, booking string, at Span) {
	h.add(seat, seatAct{verb: freed, booking: booking}, at)
}

// MayHaveFreed notes that the booking was to give the seat up, which was never
// answered.
func (h *History) MayHaveFreed(seat, booking string, asked int64) {
	h.add(seat, seatAct{verb: freed, booking: booking, lost: true}, Lost(asked))
}

// Found notes that the seat was said to be sold, or not to be.
func (h *History) Found(seat string, sold bool, at Span) {
	h.add(seat, seatAct{verb: found, taken: sold}, at)
}

func (h *History) add(seat string, act seatAct, at Span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seats == nil {
		h.seats = map[string][]porcupine.Operation{}
	}
	h.seats[seat] = append(h.seats[seat], porcupine.Operation{Input: act, Call: at.Asked, Return: at.Told})
}

// seatModel is one seat: its state is whose it is.
var seatModel = porcupine.Model{
	Init: func() any { return free },
	Step: func(state, input, _ any) (bool, any) {
		owner, act := state.(string), input.(seatAct)
		switch {
		case act.verb == found:
			return act.taken == (owner != free), state
		case act.verb == took && owner == free:
			return true, act.booking
		case act.verb == freed && (owner == act.booking || owner == somebody):
			return true, free
		default:
			return act.lost, state // then it has not happened
		}
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// Len is how many operations on seats were noted.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, ops := range h.seats {
		n += len(ops)
	}
	return n
}

// Illegal lists the seats that no order explains, in the order of their names.
func (h *History) Illegal() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var illegal []string
	for seat, ops := range h.seats {
		if porcupine.CheckOperationsTimeout(seatModel, ops, checkTimeout) != porcupine.Ok {
			illegal = append(illegal, seat)
		}
	}
	slices.Sort(illegal)
	return illegal
}
