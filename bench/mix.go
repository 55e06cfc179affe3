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
	head   []byte // up to the token
	turn   atomic.Uint64
}

func newMix(addr string, people []person, events []string) *mix {
	head := "POST /bookings HTTP/1.1\r\nHost: " + addr + "\r\nContent-Type: application/json\r\nAuthorization: Bearer "
	return &mix{people: people, events: events, head: []byte(head)}
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

// append writes the next request behind buf; it may be called by many at once,
// each with a source of its own.
func (m *mix) append(buf []byte, random *rand.Rand) []byte {
	p := &m.people[(m.turn.Add(1)-1)%uint64(len(m.people))]
	event := m.events[random.IntN(len(m.events))]
	buf = append(buf, m.head...)
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
	return append(buf, '}')
}
