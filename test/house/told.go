//go:build linux

package house

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// ring is one message in somebody's bell.
type ring struct {
	Type      string `json:"type"`
	BookingID string `json:"booking_id"`
}

// rings reads a person's whole bell, page after page: what is told while it is
// read comes in front and moves nothing behind the cursor.
func rings(t *testing.T, c *Client, p *Person) []ring {
	t.Helper()
	var all []ring
	after := ""
	for {
		var page struct {
			Items []ring  `json:"items"`
			Next  *string `json:"next_cursor"`
		}
		c.Want(t, p, http.StatusOK, http.MethodGet, "/notifications?limit=100"+after, nil, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
		after = "&cursor=" + url.QueryEscape(*page.Next)
	}
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

// mailPage is the most mails that the mailbox lists at once; it has no second page.
const mailPage = 100

// MailsTo counts the mails that the mailbox holds for a person, fewer than a page.
func MailsTo(t *testing.T, ops *Client, p *Person) int {
	t.Helper()
	var page struct {
		Items []struct {
			To string `json:"to"`
		} `json:"items"`
	}
	ops.Want(t, nil, http.StatusOK, http.MethodGet, fmt.Sprintf("/mailbox?format=json&limit=%d&to=%s", mailPage, url.QueryEscape(p.Email)), nil, &page)
	for _, m := range page.Items {
		if m.To != p.Email {
			t.Errorf("the mailbox shows a mail to %s among those to %s", m.To, p.Email)
		}
	}
	if len(page.Items) == mailPage {
		t.Fatalf("%s has more mails than the mailbox lists at once", p.Email)
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
