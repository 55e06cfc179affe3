//go:build linux

package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"happening/test/house"
)

// A box office books on the phone for an address that has no account. The mail
// reaches it, whoever signs up with it finds the booking among their own, sees
// who is not named, and cancels.
func TestBookedForAnAddress(t *testing.T) {
	t.Parallel()
	e := &erasing{t: t, h: house.New(t), email: "caller@people.test"}
	e.server = e.h.Serve()
	for into, addr := range map[**house.Client]string{&e.api: e.h.Client, &e.ops: e.h.Ops} {
		*into = house.NewClient(addr)
		t.Cleanup((*into).Close)
	}
	c := house.NewClient(e.h.API)
	t.Cleanup(c.Close)
	people := e.h.People("person", 2)
	admin, stranger := people[0], people[1]
	event := c.Event(t, admin, c.Organization(t, admin), 6, nil)
	path := "/events/" + event + "/bookings"
	body := json.RawMessage(fmt.Sprintf(`{"email":%q,"seats":2,"seat_numbers":[2,3]}`, " Caller@People.test"))

	var made struct {
		ID       string
		OnBehalf bool   `json:"on_behalf"`
		BookedBy string `json:"booked_by"`
	}
	key := "Idempotency-Key: on-the-phone"
	if a := c.Send(t, stranger, http.MethodPost, path, body); a.Status != http.StatusForbidden {
		t.Fatalf("a stranger books for somebody: %s", a)
	}
	a := c.Send(t, admin, http.MethodPost, path, body, key)
	if err := json.Unmarshal(a.Body, &made); err != nil || a.Status != http.StatusCreated || !made.OnBehalf || made.BookedBy != admin.ID {
		t.Fatalf("booked for somebody: %s", a)
	}
	if again := c.Send(t, admin, http.MethodPost, path, body, key); again.Status != http.StatusCreated || string(again.Body) != string(a.Body) {
		t.Errorf("sent again: %s, first %s", again, a)
	}
	house.Await(t, "the mail to the address", house.SettleLimit, func() bool { return len(e.mails("booked 2 seats for you")) == 1 })
	if mail := e.mails("booked 2 seats for you")[0]; !strings.Contains(mail, "/bookings/"+made.ID) || !strings.Contains(mail, "sign in with this address") {
		t.Errorf("the mail: %s", mail)
	}

	browser, _ := e.signUp("Cally")
	var mine struct {
		Items []struct {
			ID, Status string
			OnBehalf   bool    `json:"on_behalf"`
			BookedBy   *string `json:"booked_by"`
		}
	}
	var me struct{ ID string }
	e.wantAs(browser, http.StatusOK, http.MethodGet, "/users/me", nil, &me)
	e.wantAs(browser, http.StatusOK, http.MethodGet, "/bookings/user/"+me.ID, nil, &mine)
	if len(mine.Items) != 1 || mine.Items[0].ID != made.ID || !mine.Items[0].OnBehalf || mine.Items[0].BookedBy != nil {
		t.Fatalf("their bookings: %+v", mine)
	}
	var history struct {
		Items []struct{ Action, Actor string }
	}
	e.wantAs(browser, http.StatusOK, http.MethodGet, "/bookings/"+made.ID+"/history", nil, &history)
	if len(history.Items) != 1 || history.Items[0].Actor != "organizer" {
		t.Errorf("its history: %+v", history)
	}
	var bell struct {
		Items []struct{ Type, Message string }
	}
	e.wantAs(browser, http.StatusOK, http.MethodGet, "/notifications", nil, &bell)
	if !slices.ContainsFunc(bell.Items, func(n struct{ Type, Message string }) bool {
		return n.Type == "booking_confirmed" && strings.Contains(n.Message, "booked for you")
	}) {
		t.Errorf("their bell: %+v", bell)
	}
	e.wantAs(browser, http.StatusOK, http.MethodPost, "/bookings/"+made.ID+"/cancel", nil, nil)
	if sold := house.Sold(t, e.h.Database(), event); slices.Max(sold) != 0 {
		t.Errorf("sold after the cancellation: %v", sold)
	}
	e.h.Check()
}
