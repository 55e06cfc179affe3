package realtime

import (
	"container/heap"
	"time"
)

// schedule is a heap of what is planned, the earliest on top. Each event has
// each task in it at most once, so that it is bounded by the events at hand.
type schedule []planned

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)        { *s = append(*s, x.(planned)) }

func (s *schedule) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = planned{}
	*s = old[:len(old)-1]
	return last
}

// task is what is to be done for an event at some time.
type task int

const (
	tellSeats task = iota
	repeatVersion
	tellViewers
	tellSales
	tellVersion
	tellLive
	tasks // how many there are
)

type planned struct {
	at   time.Time
	w    *watch
	task task
}

// plan puts the task on the schedule unless it stands there already. The
// caller holds the lock.
func (l *lane) plan(w *watch, t task, at time.Time) {
	if w.planned[t] {
		return
	}
	w.planned[t] = true
	heap.Push(&l.due, planned{at: at, w: w, task: t})
	if l.due[0].w != w || l.due[0].task != t {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// nextDue takes the first task off the schedule whose time has come.
func (l *lane) nextDue() (*watch, task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) == 0 || time.Now().Before(l.due[0].at) {
		return nil, 0, false
	}
	p := heap.Pop(&l.due).(planned)
	p.w.planned[p.task] = false
	return p.w, p.task, true
}

func (l *lane) untilDue() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := time.Now().Add(beatEvery)
	if len(l.due) > 0 && l.due[0].at.Before(next) {
		next = l.due[0].at
	}
	if (len(l.missed) > 0 || l.everyone) && l.makeGood.Before(next) {
		next = l.makeGood
	}
	return max(0, time.Until(next))
}
