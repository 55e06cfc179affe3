//go:build linux

package house

import (
	"net/http"
	"net/url"
	"testing"
)

// ring is one message in somebody's bell.
type ring struct {
	Type      string `json:"type"`
	BookingID string `json:"booking_id"`
}

// rings reads the newest hundred of a person's bell.
func rings(t *testing.T, c *Client, p *Person) []ring {
	t.Helper()
	var page struct {
		Items []ring `json:"items"`
	}
	c.Want(t, p, http.StatusOK, http.MethodGet, "/notifications?limit=100", nil, &page)
	return page.Items
}

// ToldOf counts a person's messages of one type by booking.
func ToldOf(t *testing.T, c *Client, p *Person, kind string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, n := range rings(t, c, p) {
		if n.Type == kind {
			found[n.BookingID]++
		}
	}
	return found
}

// BellOf counts a person's confirmations by booking.
func BellOf(t *testing.T, c *Client, p *Person) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, n := range rings(t, c, p) {
		if n.Type == "booking_confirmed" {
			found[n.BookingID]++
		} else {
			found["of type "+n.Type]++
		}
	}
	return found
}

// MailsTo counts the mails that the mailbox holds for a person.
func MailsTo(t *testing.T, ops *Client, p *Person) int {
	t.Helper()
	var page struct {
		Items []struct {
			To string `json:"to"`
		} `json:"items"`
	}
	ops.Want(t, nil, http.StatusOK, http.MethodGet, "/mailbox?format=json&limit=100&to="+url.QueryEscape(p.Email), nil, &page)
	for _, m := range page.Items {
		if m.To != p.Email {
			t.Errorf("the mailbox shows a mail to %s among those to %s", m.To, p.Email)
		}
	}
	return len(page.Items)
}

// BookingsOf lists what a person was told to have booked.
func (l *Ledger) BookingsOf(who *Person) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, o := range l.orders {
		if o.Who == who && o.Told != nil {
			ids = append(ids, o.Told.ID)
		}
	}
	return ids
}
