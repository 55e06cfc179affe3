package booking

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// IDTick is the part of a version 7 UUID that orders it: milliseconds since
// 1970, and twelve bits for what lies between two of them.
type IDTick uint64

// tickBits are the bits of an IDTick below the millisecond.
const tickBits = 12

func tickAt(t time.Time) IDTick {
	micros := max(0, t.UnixMicro())
	return IDTick(micros/1000)<<tickBits | IDTick(micros%1000)<<tickBits/1000
}

// uuid makes an id of this tick. It is no secret: what stands behind an id is
// guarded by who asks.
func (t IDTick) uuid() (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(t)>>tickBits<<16|0x7000|uint64(t)&(1<<tickBits-1))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&(1<<62-1)|1<<63)
	return id
}

// nextID draws an id for something that happens at the event. Ids rise from
// change to change, in whichever process they are drawn and however far the
// processes' clocks are apart: none is below the newest that the event's
// inventory knows of, which travels with the changes. History is read in the
// order of its ids.
func (inv *Inventory) nextID(now time.Time) uuid.UUID {
	inv.newest = max(inv.newest+1, tickAt(now))
	return inv.newest.uuid()
}

// newID draws an id of something that stands alone.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
