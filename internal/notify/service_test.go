package notify_test

import (
	"errors"
	"testing"
	"time"

	"happening/internal/fault"
	"happening/internal/notify"
)

func TestThePagesOfTheBell(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	ada, bob := h.person(true), h.person(true)
	for range 25 {
		h.booked(org, event, ada)
	}
	h.booked(org, event, bob)
	h.drain(h.relay())
	s := notify.NewService(h.store, h.now)
	ctx := t.Context()

	var got []notify.Item
	cursor, pages := "", 0
	for {
		page, err := s.List(ctx, ada, false, cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		if page.UnreadCount != 25 {
			t.Errorf("%d unread", page.UnreadCount)
		}
		got = append(got, page.Items...)
		pages++
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(got) != 25 || pages != 3 {
		t.Fatalf("%d messages on %d pages", len(got), pages)
	}
	for i := range got[1:] {
		if got[i+1].ID.String() >= got[i].ID.String() {
			t.Fatal("the newest don't come first, or one comes twice")
		}
	}
	if got[0].OrgID != org || got[0].EventID != event || got[0].Link == "" || !got[0].ReadAt.IsZero() {
		t.Errorf("%+v", got[0])
	}

	if err := s.MarkRead(ctx, ada, got[0].ID); err != nil {
		t.Fatal(err)
	}
	first := h.now()
	h.pass(time.Hour)
	if err := s.MarkRead(ctx, ada, got[0].ID); err != nil {
		t.Errorf("marking again: %v", err)
	}
	page, err := s.List(ctx, ada, false, "", 1)
	if err != nil || page.UnreadCount != 24 || !page.Items[0].ReadAt.Equal(first) {
		t.Errorf("%+v, %v", page, err)
	}
	unread, err := s.List(ctx, ada, true, "", 100)
	if err != nil || len(unread.Items) != 24 {
		t.Errorf("%d unread listed, %v", len(unread.Items), err)
	}

	for name, id := range map[string]notify.Item{"another's": got[1], "absent": {ID: newID()}} {
		if err := s.MarkRead(ctx, bob, id.ID); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.MarkAllRead(ctx, ada); err != nil {
		t.Fatal(err)
	}
	if page, err := s.List(ctx, ada, true, "", 0); err != nil || len(page.Items) != 0 || page.UnreadCount != 0 {
		t.Errorf("after reading all: %+v, %v", page, err)
	}
	if page, err := s.List(ctx, bob, false, "", 0); err != nil || len(page.Items) != 1 || page.UnreadCount != 1 {
		t.Errorf("the other's bell: %+v, %v", page, err)
	}
}

func TestBadPagesOfTheBell(t *testing.T) {
	t.Parallel()
	s := notify.NewService(nil, nil)
	for _, c := range []struct {
		cursor string
		limit  int
	}{{"!", 10}, {"AAAA", 10}, {"AAAAAAAAAAAAAAAAAAAAAA", 10}, {"", -1}, {"", 101}} {
		var f *fault.Error
		if _, err := s.List(t.Context(), newID(), false, c.cursor, c.limit); !errors.As(err, &f) || f.Kind != fault.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
