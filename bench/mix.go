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
	turn   atomic.Uint64
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
	p := &m.people[turn%uint64(len(m.people))]
	number := random.IntN(len(m.events))
	event, server := m.events[number], m.route.pick(turn, number, len(m.heads))
	buf = append(buf, m.heads[server]...)
	buf = append(buf, p.token...)
	buf = append(buf, "\r\nIdempotency-Key: "...)
	var key [16]byte
	for i := range 2 {
		bits := random.Uint64()
		for j := range 8 {
			key[8*i+j] = byte(bits >> (8 * j))
		}
	}
	buf = hex.AppendEncode(buf, key[:])
	const bodyAround = len(`{"event_id":"","seats":1}`)
	buf = append(buf, "\r\nContent-Length: "...)
	buf = strconv.AppendInt(buf, int64(bodyAround+len(event)), 10)
	buf = append(buf, "\r\n\r\n{\"event_id\":\""...)
	buf = append(buf, event...)
	buf = append(buf, `","seats":`...)
	buf = append(buf, byte('0'+partySize(random.IntN(100))))
	return append(buf, '}'), server
}
