package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"

	"happening/internal/access"
)

// SeatSnapshot is the state of all seats of an event. The version was taken
// before the states were read. Equal ETags mean equal snapshots, figures
// included. It is not changed any more, and the same for everybody who asks
// while nothing changes: so it is written once for all of them.
type SeatSnapshot struct {
	Version   string
	Live      bool // holds and live updates work
	Total     int32
	Available int32
	Packed    []byte // two bits a seat, as realtime.Pack writes them
	ETag      string // without quotes

	writing sync.Once
	plain   wire
	zipping sync.Once
	zipped  wire
	asked   atomic.Int64 // for the zipped one
	tag     []string
}

// wire is an answer as it goes out: the bytes, and their length as a header.
type wire struct {
	body   []byte
	length []string
}

func newWire(body []byte) wire { return wire{body, []string{strconv.Itoa(len(body))}} }

const (
	// zipAtOnce is from which size on a snapshot is compressed for the first
	// who takes that. A smaller one is for the second: in a rush the next sale
	// makes it old before, and to compress costs more than to send it.
	zipAtOnce = 16 << 10 // bytes
	// uuidLength is that of an id as we write it; others spell it differently.
	uuidLength = 36
	// roomAroundStates is what a snapshot takes beside its states.
	roomAroundStates = 160 // bytes
)

// Headers of snapshots; shared and never appended to.
var (
	noCache     = []string{"no-cache"}
	varyByZip   = []string{"Accept-Encoding"}
	gzipEncoded = []string{"gzip"}
	asItIs      = []string{"1"}
)

// write writes the snapshot, for which everybody shares the same bytes.
func (p *SeatSnapshot) write() {
	p.tag = []string{`W/"` + p.ETag + `"`}
	version, err := json.Marshal(p.Version)
	if err != nil {
		panic(err) // a string always marshals
	}
	b := make([]byte, 0, base64.StdEncoding.EncodedLen(len(p.Packed))+roomAroundStates)
	b = append(append(b, `{"version":`...), version...)
	b = strconv.AppendInt(append(b, `,"total_slots":`...), int64(p.Total), 10)
	b = strconv.AppendInt(append(b, `,"available_slots":`...), int64(p.Available), 10)
	b = append(b, `,"states":"`...)
	b = base64.StdEncoding.AppendEncode(b, p.Packed)
	b = strconv.AppendBool(append(b, `","live":`...), p.Live)
	p.plain = newWire(append(b, "}\n"...))
}

// zippers are for use again: one takes as much room as many a snapshot.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return z
}}

// forZip gives the compressed answer, nil where it does not pay.
func (p *SeatSnapshot) forZip() *wire {
	if size := len(p.plain.body); size <= minCompressed || size < zipAtOnce && p.asked.Add(1) == 1 {
		return nil
	}
	p.zipping.Do(func() {
		var b bytes.Buffer
		z := zippers.Get().(*gzip.Writer)
		z.Reset(&b)
		_, _ = z.Write(p.plain.body) // a buffer takes everything
		_ = z.Close()
		zippers.Put(z)
		p.zipped = newWire(b.Bytes())
	})
	return &p.zipped
}

// answer sends the snapshot to one of those who ask.
func (p *SeatSnapshot) answer(w http.ResponseWriter, r *http.Request) {
	p.writing.Do(p.write)
	h := w.Header()
	h["Etag"], h["Cache-Control"], h["Vary"] = p.tag, noCache, varyByZip
	if had := r.Header["If-None-Match"]; len(had) > 0 && matchesTag(had[0], p.tag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	out := &p.plain
	if accepts(r, "gzip") {
		if zipped := p.forZip(); zipped != nil {
			h["Content-Encoding"] = gzipEncoded
			out = zipped
		} else if r.Method == http.MethodGet { // others get to nobody who takes it off
			h[gzhttp.HeaderNoCompression] = asItIs
		}
	}
	h["Content-Type"], h["Content-Length"] = typeJSON, out.length
	_, _ = w.Write(out.body) // who is gone misses it
}

// quickSeats stands before the documented route of the seats and answers what
// clients ask of it again and again: the packed states of one event, with no
// parameters. Everything else is the documented route's.
func (s *Server) quickSeats(documented http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		written := r.PathValue("id")
		id, err := uuid.Parse(written)
		if err != nil || len(written) != uuidLength || r.URL.RawQuery != "" || r.Method != http.MethodGet {
			documented(w, r)
			return
		}
		ctx := r.Context()
		live, err := s.deps.Bookings.Event(ctx, callFrom(ctx).who, id, access.EventRead)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		snap, err := s.deps.Seats.Snapshot(ctx, live)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		snap.answer(w, r)
	}
}
