package postgres

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// The write path sends whole batches as arrays in PostgreSQL's binary format,
// built by hand: encoding them through reflection costs more than the rest of
// a batch. The format: dimensions, has-null flag, element type, length, lower
// bound, then every element behind its length in bytes.

// Object ids of the element types.
const (
	oidBytea       = 17
	oidInt8        = 20
	oidInt4        = 23
	oidText        = 25
	oidTimestamptz = 1184
	oidUUID        = 2950
	oidJSONB       = 3802
)

// pgEpoch is where timestamptz counts microseconds from.
var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// array is a one-dimensional array under construction; reset makes it empty
// and keeps its memory.
type array struct {
	b []byte
	n uint32
}

const arrayHeader = 20

func newArray(oid uint32) *array {
	a := &array{b: make([]byte, arrayHeader, 1024)}
	binary.BigEndian.PutUint32(a.b[0:], 1)
	binary.BigEndian.PutUint32(a.b[8:], oid)
	binary.BigEndian.PutUint32(a.b[16:], 1)
	return a
}

func (a *array) reset() { a.b, a.n = a.b[:arrayHeader], 0 }

// bytes gives the finished array.
func (a *array) bytes() []byte {
	binary.BigEndian.PutUint32(a.b[12:], a.n)
	return a.b
}

func (a *array) null() {
	a.n++
	binary.BigEndian.PutUint32(a.b[4:], 1)
	a.b = append(a.b, 0xff, 0xff, 0xff, 0xff)
}

func (a *array) uuid(v uuid.UUID) {
	a.n++
	a.b = append(a.b, 0, 0, 0, 16)
	a.b = append(a.b, v[:]...)
}

// uuidOrNull writes Nil as null.
func (a *array) uuidOrNull(v uuid.UUID) {
	if v == uuid.Nil {
		a.null()
		return
	}
	a.uuid(v)
}

func (a *array) int4(v int32) {
	a.n++
	a.b = append(a.b, 0, 0, 0, 4)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(v))
}

func (a *array) int8(v int64) {
	a.n++
	a.b = append(a.b, 0, 0, 0, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(v))
}

func (a *array) int8OrNull(v int64) {
	if v == 0 {
		a.null()
		return
	}
	a.int8(v)
}

func (a *array) text(v string) {
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)))
	a.b = append(a.b, v...)
}

func (a *array) bytea(v []byte) {
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)))
	a.b = append(a.b, v...)
}

// jsonb writes a JSON document; version 1 of the binary format is a byte.
func (a *array) jsonb(v []byte) {
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)+1))
	a.b = append(a.b, 1)
	a.b = append(a.b, v...)
}

func (a *array) time(v time.Time) { a.int8(v.Sub(pgEpoch).Microseconds()) }
