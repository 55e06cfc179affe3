package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/fault"
)

// A request to book gets the same from the quick way as from the documented
// route: the same booking asked for, the same answer to the byte.
func FuzzQuickBooking(f *testing.F) {
	const event = `{"event_id":"018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6f"`
	for _, body := range []string{
		event + `,"seats":2}`,
		event + `,"seats":2,"seat_numbers":[12,11]}`,
		" {\"seats\" :\t1000,\r\n\"on_full\":\"refuse\",\"seat_numbers\": [ 1 , 1000000 ] ,\"event_id\":\"018F2B6E-0C5E-7C3A-9D0A-3F1B2C4D5E6F\"} ",
		event + `,"seats":3,"on_full":"wait"}`,
		event + `,"seats":7}`, event + `,"seats":8}`, event + `,"seats":9}`,
		event + `,"seats":1001}`, event + `,"seats":0}`, event + `,"seats":01}`, event + `,"seats":-1}`, event + `,"seats":5.0}`,
		event + `,"seats":1e2}`, event + `,"seats":"2"}`, event + `,"seats":99999999999999999999}`, event + `,"seats":2.5}`,
		event + `,"seats":2,"seat_numbers":[]}`, event + `,"seats":2,"seat_numbers":null}`, event + `,"seats":2,"seat_numbers":[0]}`,
		event + `,"seats":2,"seat_numbers":[1000001]}`, event + `,"seats":2,"seat_numbers":[1,]}`, event + `,"seats":2,"seat_numbers":[1 2]}`,
		event + `,"seats":1000,"seat_numbers":[1` + strings.Repeat(",1", 999) + `]}`,
		event + `,"seats":1000,"seat_numbers":[1` + strings.Repeat(",1", 1000) + `]}`,
		event + `,"seats":2,"on_full":""}`, event + `,"seats":2,"on_full":"Wait"}`, event + `,"seats":2,"on_full":null}`,
		event + `,"seats":2,"on\u005ffull":"wait"}`, event + `,"seats":2,"price":3}`, event + `,"Seats":2}`,
		event + `,"seats":2,"seats":2}`, event + `,"seats":2,}`, event + `,"seats":2} x`, event + `,"seats":2}{}`, event + `}`, event + `,"seats":2`,
		`{"seats":2}`, `{"event_id":"{018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6f}","seats":2}`, `{"event_id":"018f2b6e0c5e7c3a9d0a3f1b2c4d5e6f","seats":2}`,
		`{"event_id":"018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6g","seats":2}`, `{"event_id":"","seats":2}`, `{"event_id":7,"seats":2}`,
		`{}`, `[]`, `null`, `"`, `{`, ``, "\xff", event + ",\"seats\":2,\"on_full\":\"\xff\"}", `{"event_id":"00000000-0000-0000-0000-000000000000","seats":1}`,
	} {
		f.Add(body, "")
	}
	for _, key := range []string{"k", strings.Repeat("k", 200), strings.Repeat("k", 201), "a b", "ü", "~!"} {
		f.Add(event+`,"seats":2}`, key)
	}
	who := access.Principal{UserID: uuid.MustParse("018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e70")}
	s := bare(f, Deps{Auth: person{who}})
	var asked []booking.Request
	s.book = func(_ context.Context, _ access.Principal, q booking.Request) (booking.Booking, error) {
		asked = append(asked, q)
		return bookingOf(q)
	}
	f.Fuzz(func(t *testing.T, body, key string) {
		if strings.ContainsAny(key, "\r\n\x00") {
			return // no header
		}
		answers := [2]*httptest.ResponseRecorder{}
		asked = nil
		for i, accept := range []string{"*/*", documentedOnly} {
			r := httptest.NewRequest("POST", "/bookings", strings.NewReader(body))
			r.Header["Content-Type"], r.Header["Accept"] = []string{"application/json"}, []string{accept}
			if key != "" {
				r.Header["Idempotency-Key"] = []string{key}
			}
			answers[i] = httptest.NewRecorder()
			s.API().ServeHTTP(answers[i], r)
			answers[i].Header().Del("X-Request-Id")
		}
		quick, documented := answers[0], answers[1]
		if quick.Code != documented.Code || quick.Body.String() != documented.Body.String() {
			t.Fatalf("%q:\nquick      %d %s\ndocumented %d %s", body, quick.Code, quick.Body, documented.Code, documented.Body)
		}
		if !reflect.DeepEqual(quick.Header(), documented.Header()) {
			t.Fatalf("%q:\nquick      %v\ndocumented %v", body, quick.Header(), documented.Header())
		}
		if len(asked) != 0 && (len(asked) != 2 || !reflect.DeepEqual(asked[0], asked[1])) {
			t.Fatalf("%q: asked for %+v", body, asked)
		}
	})
}

// A cancellation gets the same from the quick way as from the documented route.
func FuzzQuickCancel(f *testing.F) {
	const id = "018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6f"
	for _, seed := range [][4]string{
		{id, "", "", ""}, {id, "k", "", ""}, {id, "a b", "", ""}, {id, strings.Repeat("k", 201), "", ""},
		{strings.ToUpper(id), "k", "", ""}, {"{" + id + "}", "", "", ""}, {strings.ReplaceAll(id, "-", ""), "", "", ""}, {"7", "", "", ""}, {`"`, "", "", ""},
		{id[:35] + "0", "", "", ""}, {id[:35] + "1", "", "", ""}, {id[:35] + "2", "", "", ""}, {id[:35] + "3", "", "", ""},
		{id, "k", `{}`, "application/json"}, {id, "", "x", "text/plain"}, {id, "", "", "application/json"}, {id, "", "", "text/plain"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	who := access.Principal{UserID: uuid.MustParse("018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e70")}
	s := bare(f, Deps{Auth: person{who}})
	var asked []booking.Key
	s.cancel = func(_ context.Context, _ access.Principal, id uuid.UUID, key booking.Key) (booking.Entry, error) {
		asked = append(asked, key)
		b, err := bookingOf(booking.Request{EventID: id, Seats: 7 + int32(id[15]&3), Key: key})
		if id[15]&3 > 2 || id[15]&3 == 0 {
			b, err = bookingOf(booking.Request{EventID: id, Seats: 3, Key: key})
		}
		return booking.Entry{Booking: b, Event: booking.EventBrief{ID: id, Name: "Less < & \u2028 more"}}, err
	}
	f.Fuzz(func(t *testing.T, id, key, body, kind string) {
		if strings.ContainsAny(key+kind, "\r\n\x00") {
			return // no header
		}
		answers := [2]*httptest.ResponseRecorder{}
		asked = nil
		for i, accept := range []string{"*/*", documentedOnly} {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.URL.Path = "/bookings/" + id + "/cancel"
			r.Header["Accept"] = []string{accept}
			if key != "" {
				r.Header["Idempotency-Key"] = []string{key}
			}
			if kind != "" {
				r.Header["Content-Type"] = []string{kind}
			}
			answers[i] = httptest.NewRecorder()
			s.API().ServeHTTP(answers[i], r)
			answers[i].Header().Del("X-Request-Id")
		}
		quick, documented := answers[0], answers[1]
		if quick.Code != documented.Code || quick.Body.String() != documented.Body.String() || !reflect.DeepEqual(quick.Header(), documented.Header()) {
			t.Fatalf("%q %q %q %q:\nquick      %d %v %s\ndocumented %d %v %s", id, key, body, kind,
				quick.Code, quick.Header(), quick.Body, documented.Code, documented.Header(), documented.Body)
		}
		if len(asked) != 0 && (len(asked) != 2 || asked[0] != asked[1]) {
			t.Fatalf("%q: asked for %+v", id, asked)
		}
	})
}

// Nor would it be one if a cancellation didn't.
func TestQuickCancelTakesWhatProgramsSend(t *testing.T) {
	who, id := access.Principal{UserID: uuid.New()}, uuid.New()
	s := bare(t, Deps{Auth: person{who}})
	s.cancel = func(_ context.Context, _ access.Principal, asked uuid.UUID, key booking.Key) (booking.Entry, error) {
		if asked != id || key.Value != "a-key" {
			t.Errorf("%s is to be cancelled by %q", asked, key.Value)
		}
		return booking.Entry{}, nil
	}
	r := httptest.NewRequest("POST", "/bookings/"+id.String()+"/cancel", nil)
	r.SetPathValue("id", id.String())
	r.Header["Idempotency-Key"] = []string{"a-key"}
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, &call{who: who, server: s}))
	w := httptest.NewRecorder()
	s.quickCancel(func(http.ResponseWriter, *http.Request) { t.Error("not the quick way") })(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// documentedOnly is what a caller accepts who is answered by the documented
// route, however the request is written.
const documentedOnly = "application/json, */*;q=0.5"

// bookingOf makes a booking of each kind, and refusals.
func bookingOf(q booking.Request) (booking.Booking, error) {
	at := time.Date(2026, 5, 1, 18, 0, 0, 123_456_000, time.FixedZone("", 2*60*60))
	b := booking.Booking{
		ID: uuid.NewSHA1(q.EventID, []byte(q.Key.Value)), EventID: q.EventID, UserID: uuid.NewSHA1(q.EventID, nil), CreatedAt: at, UpdatedAt: at.Truncate(time.Second),
		State: booking.State{Status: booking.Confirmed, Seats: q.Seats, SeatNumbers: q.SeatNumbers},
	}
	switch q.Seats {
	case 1, 1000:
		b.Status, b.WaitingNumber, b.Position, b.SeatNumbers = booking.Waiting, 1<<40, 17, nil
	case 3:
		b.Status, b.Reason, b.SeatNumbers = booking.Cancelled, "event_cancelled", nil
	case 7:
		return booking.Booking{}, booking.ErrSoldOut
	case 8:
		return booking.Booking{}, booking.ErrBusy.After(1500 * time.Millisecond)
	case 9:
		return booking.Booking{}, fmt.Errorf("about seats: %w", fault.InvalidFields(fault.Field{Name: "seats", Message: "must be <less> & fewer"}))
	case 10:
		return booking.Booking{}, errors.New("password=hunter2")
	}
	return b, nil
}

// What programs write goes the quick way, or it would not be one.
func TestQuickBookingReadsWhatProgramsWrite(t *testing.T) {
	id := uuid.New()
	for body, want := range map[string]BookingCreate{
		`{"event_id":"` + id.String() + `","seats":2}`:                                             {EventID: id, Seats: 2},
		`{"seats":3, "event_id":"` + id.String() + `", "on_full":"refuse"}`:                        {EventID: id, Seats: 3, OnFull: refuse},
		`{"event_id":"` + id.String() + `","seats":2,"seat_numbers":[7,1000000],"on_full":"wait"}`: {EventID: id, Seats: 2, SeatNumbers: []whole{7, 1000000}, OnFull: wait},
	} {
		if got, ok := readBooking([]byte(body)); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", body, got, ok)
		}
	}
	for _, accept := range [][]string{nil, {"*/*"}, {"application/json"}} {
		h := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"a-key"}}
		if accept != nil {
			h["Accept"] = accept
		}
		if key, ok := quickHeaders(h); !ok || key != "a-key" || !sendsJSON(h) {
			t.Errorf("accept %q: not the quick way", accept)
		}
	}
	if _, ok := quickHeaders(http.Header{"Content-Type": {"application/json"}, "Accept": {documentedOnly}}); ok {
		t.Error("the documented route is never compared with")
	}
}
