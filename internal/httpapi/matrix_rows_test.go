package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/audit"
	"happening/internal/idp"
)

// Lines that come again and again, in the order of the columns:
//
//	visitor stranger user organizer orgAdmin other former booker
const (
	toAll       = "200 200 200 200 200 200 200 200"
	toSignedIn  = "401 200 200 200 200 200 200 200"
	doneMyself  = "401 204 204 204 204 204 204 204"
	toNobody    = "404 404 404 404 404 404 404 404"
	askedToSign = "401 404 404 404 404 404 404 404"
	toMembers   = "404 404 200 200 200 404 404 404" // of a thing that is hidden from others
	toOther     = "404 404 404 404 404 200 404 404"
)

// event names an event.
func (c *cell) event() string {
	switch {
	case c.thing == absent:
		return uuid.NewString()
	case c.fresh:
		return c.newEvent(c.thing).String()
	}
	return c.events[c.thing].String()
}

// booking names a booking of the booker's, or of the other organization's user.
func (c *cell) booking() string {
	switch {
	case c.thing == absent:
		return uuid.NewString()
	case c.fresh:
		return c.newBooking(c.thing).String()
	}
	return c.bookings[c.thing].String()
}

// waits names a party of the same person that waits.
func (c *cell) waits() string {
	switch {
	case c.thing == absent:
		return uuid.NewString()
	case c.fresh:
		return c.newWaiting(c.thing).String()
	}
	return c.waiting[c.thing].String()
}

// org names an organization.
func (c *cell) org() string {
	switch {
	case c.thing == absent:
		return uuid.NewString()
	case c.fresh && c.thing == foreign:
		return c.otherNewOrg().String()
	case c.fresh:
		return c.ourNewOrg().String()
	}
	return c.orgOf(c.thing).String()
}

// invite names an invite that is pending; the caller's own is to an
// organization in which they are nothing yet.
func (c *cell) invite() string {
	switch {
	case c.thing == absent || c.thing == own && c.who == visitor:
		return uuid.NewString()
	case c.thing == own:
		org, _ := c.db.Org(c.t)
		return c.newInvite(org, c.caller.email).String()
	case c.fresh:
		return c.newInvite(c.orgOf(c.thing), c.address()).String()
	}
	return c.invites[c.thing].String()
}

// memberOf names a member of the organization who is nobody in the columns.
func (c *cell) memberOf() string {
	switch c.thing {
	case foreign:
		return c.otherUser.id.String()
	case unrelated:
		return uuid.NewString()
	}
	return c.member2.id.String()
}

// session names a browser session.
func (c *cell) session() string {
	id, who := uuid.Must(uuid.NewV7()), c.caller.id
	switch {
	case c.thing == absent || c.who == visitor:
		return id.String()
	case c.thing == foreign:
		who = c.otherUser.id
	}
	secret := uuid.New()
	c.sql(`INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, '', now(), now(), now() + interval '1 day')`, id, secret[:], who, idp.IdentityKey, who.String())
	return id.String()
}

// notification names a message to the caller, or to somebody else.
func (c *cell) notification() string {
	id, who := uuid.Must(uuid.NewV7()), c.caller.id
	switch {
	case c.thing == absent || c.who == visitor:
		return id.String()
	case c.thing == foreign:
		who = c.otherUser.id
	}
	c.sql(`INSERT INTO notifications (id, fact_id, user_id, type, channel, title, message, status)
		VALUES ($1, $2, $3, 'booking_confirmed', 'app', 'Booked', 'You are in.', 'sent')`, id, uuid.New(), who)
	return id.String()
}

// at asks at a path without a body.
func at(format string, name func(*cell) string) func(*cell) question {
	return func(c *cell) question { return question{path: fmt.Sprintf(format, name(c))} }
}

// with asks at a path with a body.
func with(format string, name func(*cell) string, body string) func(*cell) question {
	return func(c *cell) question { return question{path: fmt.Sprintf(format, name(c)), body: body} }
}

// plainly asks at a path that names nothing.
func plainly(path string, body any) func(*cell) question {
	return func(*cell) question { return question{path: path, body: body} }
}

// matrixRows says of every route who may do what.
func matrixRows() []matrixRow {
	var all []matrixRow
	for _, rows := range [][]matrixRow{eventRows(), bookingRows(), orgRows(), memberRows(), inviteRows(), myRows(), serviceRows()} {
		all = append(all, rows...)
	}
	return all
}

// runners are who may run an event: all others who may know of it are refused,
// and to those who may not there is none.
func runners(success string) map[string]string {
	return map[string]string{
		ours:    strings.ReplaceAll("401 403 403 2xx 2xx 403 403 403", "2xx", success),
		hidden:  strings.ReplaceAll("404 404 403 2xx 2xx 404 404 404", "2xx", success),
		foreign: strings.ReplaceAll("404 404 404 404 404 2xx 404 404", "2xx", success),
		absent:  toNobody,
	}
}

func eventRows() []matrixRow {
	readers := map[string]string{ours: toAll, hidden: toMembers, closed: toMembers, foreign: toOther, absent: toNobody}
	bookers := func(success, inClosed string) map[string]string {
		fill := func(line string) string { return strings.ReplaceAll(line, "2xx", success) }
		return map[string]string{
			ours: fill("401 2xx 2xx 2xx 2xx 2xx 2xx 2xx"), hidden: fill("404 404 2xx 2xx 2xx 404 404 404"),
			closed:  strings.ReplaceAll("404 404 xxx xxx xxx 404 404 404", "xxx", inClosed),
			foreign: fill("404 404 404 404 404 2xx 404 404"), absent: toNobody,
		}
	}
	starts := time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	ends := time.Now().Add(50 * time.Hour).UTC().Format(time.RFC3339)
	closedRunners := alsoClosed(runners("200"), "404 404 403 200 200 404 404 404")
	return []matrixRow{
		{route: "GET /events", want: map[string]string{own: toAll}, ask: plainly("/events", nil)},
		{
			route: "POST /events", records: string(audit.EventCreated),
			want: map[string]string{
				ours: "401 403 403 201 201 403 403 403", foreign: "401 403 403 403 403 201 403 403",
				closed: "401 403 403 409 409 403 403 403", absent: toNobody,
			},
			ask: func(c *cell) question {
				return question{path: "/events", body: map[string]any{
					"org_id": c.org(), "name": "Made", "category": "meetup", "starts_at": starts, "ends_at": ends, "time_zone": "UTC", "total_slots": 3,
				}}
			},
		},
		{route: "GET /events/{id}", want: readers, ask: at("/events/%s", (*cell).event)},
		{
			route: "PUT /events/{id}", records: string(audit.EventUpdated), want: alsoClosed(runners("200"), "404 404 403 200 200 404 404 404"),
			ask: with("/events/%s", (*cell).event, `{"venue":"Old mill"}`),
		},
		{route: "DELETE /events/{id}", records: string(audit.EventDeleted), want: runners("204"), ask: at("/events/%s", (*cell).event)},
		{route: "POST /events/{id}/cancel", records: string(audit.EventCancelled), want: runners("200"), ask: at("/events/%s/cancel", (*cell).event)},
		{route: "GET /events/{id}/audit", want: closedRunners, ask: at("/events/%s/audit", (*cell).event)},
		{route: "GET /events/{id}/bookings", want: closedRunners, ask: at("/events/%s/bookings", (*cell).event)},
		{
			route: "POST /events/{id}/bookings", records: string(audit.BookedFor), want: alsoClosed(runners("201"), "404 404 403 409 409 404 404 404"),
			ask: func(c *cell) question {
				return question{path: "/events/" + c.unchanged().event() + "/bookings", body: map[string]any{"email": c.address(), "seats": 1}}
			},
		},
		{route: "GET /events/{id}/waitlist", want: closedRunners, ask: at("/events/%s/waitlist", (*cell).event)},
		{route: "GET /events/{id}/seats", want: readers, ask: at("/events/%s/seats", (*cell).event)},
		{route: "GET /events/{id}/seats", what: "as a list", want: readers, ask: at("/events/%s/seats?format=list", (*cell).event)},
		{route: "GET /events/{id}/layout", want: readers, ask: at("/events/%s/layout", (*cell).event)},
		{
			route: "PUT /events/{id}/layout", records: string(audit.LayoutChanged), want: alsoClosed(runners("200"), "404 404 403 200 200 404 404 404"),
			ask: with("/events/%s/layout", (*cell).event, `{"sections":[{"name":"","rows":[{"label":"1","seats":64},{"label":"2","seats":64}]}]}`),
		},
		{route: "GET /events/{id}/blocks", want: closedRunners, ask: at("/events/%s/blocks", (*cell).event)},
		{
			route: "PUT /events/{id}/blocks", records: string(audit.BlocksChanged), want: alsoClosed(runners("200"), "404 404 403 200 200 404 404 404"),
			ask: with("/events/%s/blocks", (*cell).event, `{"seat_numbers":[3]}`),
		},
		{route: "GET /events/{id}/holds", want: bookers("200", "200"), ask: at("/events/%s/holds", (*cell).event)},
		{
			route: "PUT /events/{id}/holds", records: nothing, want: bookers("200", "409"),
			ask: with("/events/%s/holds", func(c *cell) string { return c.unchanged().event() }, `{"seat_numbers":[900]}`),
		},
		{
			route: "DELETE /events/{id}/holds", records: nothing, want: bookers("204", "204"),
			ask: at("/events/%s/holds", func(c *cell) string { return c.unchanged().event() }),
		},
		{
			route: "POST /bookings", records: nothing, want: bookers("201", "409"),
			ask: func(c *cell) question {
				return question{
					path: "/bookings", body: map[string]any{"event_id": c.unchanged().event(), "seats": 1},
					headers: []string{"Idempotency-Key: " + uuid.NewString()},
				}
			},
		},
	}
}

// unchanged asks about what is there already although something is done to it.
func (c *cell) unchanged() *cell {
	plain := *c
	plain.fresh = false
	return &plain
}

func bookingRows() []matrixRow {
	theirs := map[string]string{
		ours: "404 404 404 200 200 404 404 200", hidden: "404 404 404 200 200 404 404 200", closed: "404 404 404 200 200 404 404 200",
		foreign: toOther, absent: toNobody,
	}
	// The booker knows of the booking and may not run the event.
	run := map[string]string{
		ours: "404 404 404 200 200 404 404 403", hidden: "404 404 404 200 200 404 404 403", closed: "404 404 404 409 409 404 404 403",
		foreign: "404 404 404 404 404 200 404 404", absent: toNobody,
	}
	byThemselves := map[string]string{booker: nothing} // is in the history alone
	return []matrixRow{
		{route: "GET /bookings/{id}", want: theirs, ask: at("/bookings/%s", (*cell).booking)},
		{route: "GET /bookings/{id}/history", want: theirs, ask: at("/bookings/%s/history", (*cell).booking)},
		{route: "POST /bookings/{id}/cancel", records: string(audit.BookingCancelled), unlike: byThemselves, want: theirs, ask: at("/bookings/%s/cancel", (*cell).booking)},
		{
			route: "POST /bookings/{id}/cancel-seats", what: "all of them", records: string(audit.BookingCancelled), unlike: byThemselves, want: theirs,
			ask: func(c *cell) question {
				id, seat := c.booking(), 1
				if c.thing != absent {
					must(c.t, c.db.System.QueryRow(c.t.Context(), `SELECT seat_no FROM booking_seats WHERE booking_id = $1`, id).Scan(&seat))
				}
				return question{path: "/bookings/" + id + "/cancel-seats", body: map[string]any{"seat_numbers": []int{seat}}}
			},
		},
		{
			route: "POST /bookings/{id}/cancel-seats", what: "some of them", records: string(audit.SeatsCancelled), unlike: byThemselves, want: theirs,
			ask: func(c *cell) question {
				id, seat := uuid.NewString(), 1
				if c.thing != absent {
					id = c.bookings[c.thing].String()
					if c.fresh {
						id = c.newParty(c.thing).String()
					}
					must(c.t, c.db.System.QueryRow(c.t.Context(), `SELECT seat_no FROM booking_seats WHERE booking_id = $1 LIMIT 1`, id).Scan(&seat))
				}
				return question{path: "/bookings/" + id + "/cancel-seats", body: map[string]any{"seat_numbers": []int{seat}}}
			},
		},
		{
			route: "POST /bookings/{id}/cancel-seats", what: "of a waiting party", records: string(audit.PartyResized), unlike: byThemselves, want: theirs,
			ask: with("/bookings/%s/cancel-seats", (*cell).waits, `{"seats":1}`),
		},
		{
			route: "POST /bookings/{id}/promote", records: string(audit.BookingPromoted), want: run,
			ask: at("/bookings/%s/promote", (*cell).waits),
		},
		{
			route: "POST /bookings/{id}/move", records: string(audit.BookingMoved), want: run,
			ask: func(c *cell) question {
				c.seat++
				return question{path: "/bookings/" + c.booking() + "/move", body: map[string]any{"seat_numbers": []int{freeSeats + c.seat}}}
			},
		},
		{
			route: "GET /bookings/user/{userId}",
			want:  map[string]string{ours: "404 404 404 200 200 404 404 200", foreign: toOther, own: "404 200 200 200 200 200 200 200", absent: toNobody},
			ask: at("/bookings/user/%s", func(c *cell) string {
				switch {
				case c.thing == ours:
					return c.callers[booker].id.String()
				case c.thing == foreign:
					return c.otherUser.id.String()
				case c.thing == own && c.who != visitor:
					return c.caller.id.String()
				}
				return uuid.NewString()
			}),
		},
	}
}

// admins are who runs an organization, whose name everybody may know.
func admins(success string) map[string]string {
	return map[string]string{
		ours:    strings.ReplaceAll("401 403 403 403 2xx 403 403 403", "2xx", success),
		foreign: strings.ReplaceAll("401 403 403 403 403 2xx 403 403", "2xx", success),
		absent:  toNobody,
	}
}

// alsoClosed adds what a suspended organization answers.
func alsoClosed(want map[string]string, line string) map[string]string {
	want[closed] = line
	return want
}

func orgRows() []matrixRow {
	public := map[string]string{ours: toAll, closed: toMembers, foreign: toAll, absent: toNobody}
	return []matrixRow{
		{
			route: "POST /organizations", records: string(audit.OrgCreated), want: map[string]string{own: "401 201 201 201 201 201 201 201"},
			ask: plainly("/organizations", `{"name":"Founded"}`),
		},
		{route: "GET /organizations", want: map[string]string{own: toSignedIn}, ask: plainly("/organizations", nil)},
		{
			route: "GET /organizations/{id}", want: map[string]string{ours: toAll, closed: toAll, foreign: toAll, absent: toNobody},
			ask: at("/organizations/%s", (*cell).org),
		},
		{
			route: "PUT /organizations/{id}", records: string(audit.OrgUpdated), want: admins("200"),
			ask: with("/organizations/%s", (*cell).org, `{"about":"By Quillfeather of 127.0.0.1.","contact_email":"office@people.test","color":"#1a7f5a"}`),
		},
		{route: "DELETE /organizations/{id}", records: string(audit.OrgDeleted), want: admins("204"), ask: at("/organizations/%s", (*cell).org)},
		{route: "GET /organizations/{id}/logo", want: public, ask: at("/organizations/%s/logo", (*cell).org)},
		{
			route: "PUT /organizations/{id}/logo", records: string(audit.OrgUpdated), want: admins("200"),
			ask: func(c *cell) question {
				return question{path: "/organizations/" + c.org() + "/logo", body: c.logo, headers: []string{"Content-Type: image/png"}}
			},
		},
		{
			route: "DELETE /organizations/{id}/logo", records: string(audit.OrgUpdated), want: admins("204"),
			ask: at("/organizations/%s/logo", func(c *cell) string {
				org := c.org()
				if c.fresh {
					c.setLogo(uuid.MustParse(org))
				}
				return org
			}),
		},
		{route: "GET /organizations/{id}/audit", want: alsoClosed(admins("200"), "401 403 403 403 200 403 403 403"), ask: at("/organizations/%s/audit", (*cell).org)},
		{route: "GET /organizations/{id}/audit/export", want: admins("200"), ask: at("/organizations/%s/audit/export", (*cell).org)},
		{
			route: "GET /organizations/{id}/audit/export", what: "as JSON", want: admins("200"),
			ask: at("/organizations/%s/audit/export?format=json", (*cell).org),
		},
	}
}

func memberRows() []matrixRow {
	members := map[string]string{ours: "401 403 200 200 200 403 403 403", closed: "401 403 200 200 200 403 403 403", foreign: "401 403 403 403 403 200 403 403", absent: toNobody}
	manage := func(success string) map[string]string {
		want := admins(success)
		want[unrelated] = "401 403 403 403 404 403 403 403" // a person who is no member
		return want
	}
	one := func(c *cell) string { return c.org() + "/members/" + c.memberOf() }
	return []matrixRow{
		{route: "GET /organizations/{id}/members", want: members, ask: at("/organizations/%s/members", (*cell).org)},
		{route: "GET /users", want: members, ask: at("/users?q=a&org_id=%s", (*cell).org)},
		{
			route: "PUT /organizations/{id}/members/{userId}", records: string(audit.RoleChanged), want: manage("200"),
			ask: with("/organizations/%s", one, `{"role":"organizer"}`),
		},
		{
			route: "DELETE /organizations/{id}/members/{userId}", records: string(audit.MemberRemoved), want: manage("204"),
			ask: at("/organizations/%s", one),
		},
		{
			route: "DELETE /organizations/{id}/members/{userId}", what: "of oneself", records: string(audit.MemberLeft), spare: true,
			want: map[string]string{ours: "401 404 204 204 204 404 404 404", foreign: "401 404 404 404 404 204 404 404", absent: toNobody},
			ask: at("/organizations/%s", func(c *cell) string {
				return c.unchanged().org() + "/members/" + c.caller.id.String()
			}),
		},
	}
}

func inviteRows() []matrixRow {
	answers := map[string]string{own: "404 200 200 200 200 200 200 200", ours: toNobody, foreign: toNobody, absent: toNobody}
	manage := func(success string) map[string]string {
		return map[string]string{
			ours:    strings.ReplaceAll("404 404 404 404 2xx 404 404 404", "2xx", success),
			foreign: strings.ReplaceAll("404 404 404 404 404 2xx 404 404", "2xx", success),
			own:     "404 403 403 403 403 403 403 403", // only who is invited knows of it
			absent:  toNobody,
		}
	}
	invite := func(path string, address func(*cell) map[string]any) func(*cell) question {
		return func(c *cell) question {
			body := address(c)
			body["org_id"], body["role"] = c.unchanged().org(), "user"
			return question{path: path, body: body}
		}
	}
	return []matrixRow{
		{
			route: "POST /org-invites", records: string(audit.InviteCreated), want: alsoClosed(admins("201"), "401 403 403 403 409 403 403 403"),
			ask: invite("/org-invites", func(c *cell) map[string]any { return map[string]any{"email": c.address()} }),
		},
		{
			route: "POST /org-invites/batch", records: string(audit.InviteCreated), want: alsoClosed(admins("200"), "401 403 403 403 409 403 403 403"),
			ask: invite("/org-invites/batch", func(c *cell) map[string]any { return map[string]any{"emails": []string{c.address(), "nobody"}} }),
		},
		{route: "GET /org-invites", want: map[string]string{own: toSignedIn}, ask: plainly("/org-invites", nil)},
		{route: "GET /org-invites", what: "of an organization", want: admins("200"), ask: at("/org-invites?org_id=%s", (*cell).org)},
		{
			route: "GET /org-invites/by-token", want: map[string]string{own: toSignedIn, absent: askedToSign},
			ask: at("/org-invites/by-token?token=%s", func(c *cell) string {
				if c.thing == absent {
					return strings.Repeat("x", len(c.token))
				}
				return c.token
			}),
		},
		{route: "POST /org-invites/{id}/accept", records: string(audit.MemberJoined), want: answers, ask: at("/org-invites/%s/accept", (*cell).invite)},
		{route: "POST /org-invites/{id}/reject", records: string(audit.InviteRejected), want: answers, ask: at("/org-invites/%s/reject", (*cell).invite)},
		{route: "POST /org-invites/{id}/resend", records: string(audit.InviteResent), want: manage("200"), ask: at("/org-invites/%s/resend", (*cell).invite)},
		{route: "DELETE /org-invites/{id}", records: string(audit.InviteRevoked), want: manage("204"), ask: at("/org-invites/%s", (*cell).invite)},
	}
}

func myRows() []matrixRow {
	mine := map[string]string{own: toSignedIn}
	one := map[string]string{own: "404 204 204 204 204 204 204 204", foreign: toNobody, absent: toNobody}
	return []matrixRow{
		{route: "GET /users/me", want: mine, ask: plainly("/users/me", nil)},
		{route: "PUT /users/me", records: nothing, want: mine, ask: plainly("/users/me", `{"name":"Quillfeather"}`)},
		{
			route: "DELETE /users/me", what: "without confirming it", records: nothing, want: map[string]string{own: "401 422 422 422 422 422 422 422"},
			ask: plainly("/users/me", `{"email":"somebody-else@people.test"}`),
		},
		{
			route: "DELETE /users/me", records: string(audit.MemberErased), want: map[string]string{own: doneMyself}, spare: true,
			unlike: map[string]string{stranger: nothing, former: nothing, booker: nothing}, // no organization's
			ask: func(c *cell) question {
				return question{path: "/users/me", body: map[string]any{"email": c.caller.email}}
			},
		},
		{route: "GET /users/me/export", want: mine, ask: plainly("/users/me/export", nil)},
		{route: "GET /users/me/sessions", want: mine, ask: plainly("/users/me/sessions", nil)},
		{route: "DELETE /users/me/sessions", records: nothing, want: map[string]string{own: doneMyself}, ask: plainly("/users/me/sessions", nil)},
		{route: "DELETE /users/me/sessions/{id}", records: nothing, want: one, ask: at("/users/me/sessions/%s", (*cell).session)},
		{route: "GET /notifications", want: mine, ask: plainly("/notifications", nil)},
		{route: "POST /notifications/{id}/read", records: nothing, want: one, ask: at("/notifications/%s/read", (*cell).notification)},
		{route: "POST /notifications/read-all", records: nothing, want: map[string]string{own: doneMyself}, ask: plainly("/notifications/read-all", nil)},
		{route: "GET /notifications/preferences", want: mine, ask: plainly("/notifications/preferences", nil)},
		{
			route: "PUT /notifications/preferences", records: nothing, want: mine,
			ask: plainly("/notifications/preferences", `{"types":[{"type":"event_updated","email":false}]}`),
		},
	}
}

func serviceRows() (rows []matrixRow) {
	for _, path := range []string{"/", "/db-test", "/healthz", "/readyz"} {
		rows = append(rows, matrixRow{route: http.MethodGet + " " + path, want: map[string]string{own: toAll}, ask: plainly(path, nil)})
	}
	return rows
}
