package main

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
)

// person is somebody who books, with a real access token.
type person struct {
	id    string
	token string
}

// mix makes the requests of a sale: another person each time, round robin, an
// idempotency key of its own each, a party of 1 to 4, at one of the events.
type mix struct {
	people []person
	events []string
	heads  [][]byte // for each server, up to the token
	route  route
	// party is the size of all parties; 0: 1 to 4.
	party int
	// extra are more fields of the body.
	extra string
	// inTurn is how many bookings each event is asked for before the next one
	// is; 0: each booking is at any of the events.
	inTurn int
	// most bounds the requests; 0: without end.
	most uint64
	turn atomic.Uint64
}

// route says how requests are shared out among several servers.
type route string

const (
	// byEvent sends all requests of an event to one server, as a balancer does
	// that hashes the event's id; it is also what a single server has.
	byEvent route = "by event"
	// spread sends every request to the next server.
	spread route = "spread"
)

// pick says which of n servers is asked the turn-th time, about the event of
// that number.
func (r route) pick(turn uint64, event, n int) int {
	if r == spread {
		return int(turn % uint64(n))
	}
	return event % n
}

func newMix(addrs []string, people []person, events []string, route route) *mix {
	m := &mix{people: people, events: events, route: route}
	for _, addr := range addrs {
		m.heads = append(m.heads, []byte("POST /bookings HTTP/1.1\r\nHost: "+addr+"\r\nContent-Type: application/json\r\nAuthorization: Bearer "))
	}
	return m
}

// partySize draws 1, 2, 3 or 4 with 50, 30, 10 and 10 per cent.
func partySize(draw int) int {
	switch {
	case draw < 50:
		return 1
	case draw < 80:
		return 2
	case draw < 90:
		return 3
	default:
		return 4
	}
}

// append writes the next request behind buf and says which server it is for;
// it may be called by many at once, each with a source of its own.
func (m *mix) append(buf []byte, random *rand.Rand) ([]byte, int) {
	turn := m.turn.Add(1) - 1
	if m.most > 0 && turn >= m.most {
		return buf, noMore
	}
	p := &m.people[turn%uint64(len(m.people))]
	number := 0
	if m.inTurn > 0 {
		number = int(turn/uint64(m.inTurn)) % len(m.events)
	} else {
		number = random.IntN(len(m.events))
	}
	event, server := m.events[number], m.route.pick(turn, number, len(m.heads))
	buf = append(buf, m.heads[server]...)
	buf = append(buf, p.token...)
	buf = appendKey(buf, random)
	const bodyAround = len(`{"event_id":"","seats":1}`)
	buf = append(buf, "\r\nContent-Length: "...)
	buf = strconv.AppendInt(buf, int64(bodyAround+len(event)+len(m.extra)), 10)
	buf = append(buf, "\r\n\r\n{\"event_id\":\""...)
	buf = append(buf, event...)
	buf = append(buf, `","seats":`...)
	seats := m.party
	if seats == 0 {
		seats = partySize(random.IntN(100))
	}
	buf = append(buf, byte('0'+seats))
	buf = append(buf, m.extra...)
	return append(buf, '}'), server
}

// appendKey writes the header with an idempotency key of its own.
func appendKey(buf []byte, random *rand.Rand) []byte {
	var key [16]byte
	for i := range 2 {
		bits := random.Uint64()
		for j := range 8 {
			key[8*i+j] = byte(bits >> (8 * j))
		}
	}
	return hex.AppendEncode(append(buf, "\r\nIdempotency-Key: "...), key[:])
}

// reads makes requests for pages: another person each time, round robin.
type reads struct {
	people []person
	host   string
	// path writes the path of the turn-th page.
	path func(buf []byte, turn uint64, who *person) []byte
	// header are more header lines, each with its end.
	header string
	most   uint64 // bounds the requests; 0: without end
	turn   atomic.Uint64
}

func (p *reads) append(buf []byte, _ *rand.Rand) ([]byte, int) {
	turn := p.turn.Add(1) - 1
	if p.most > 0 && turn >= p.most {
		return buf, noMore
	}
	who := &p.people[turn%uint64(len(p.people))]
	buf = p.path(append(buf, "GET "...), turn, who)
	buf = append(append(buf, " HTTP/1.1\r\nHost: "...), p.host...)
	buf = append(append(buf, "\r\n"...), p.header...)
	buf = append(append(buf, "Authorization: Bearer "...), who.token...)
	return append(buf, "\r\n\r\n"...), 0
}
