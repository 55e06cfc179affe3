package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"happening/internal/access"
)

// socketPath is where the websocket is. It leaves the ordinary way before the
// routes, since an upgrade takes the whole connection.
const socketPath = "/connection/websocket"

// route is one line of the table: which action stands at which path.
type route struct {
	method, path string
	action       access.Action
	about        about
	register     func(*Server, route)
}

// about is what the document says of a route.
type about struct {
	id, tag, summary, more string
	status                 int   // of success; 0: 200
	errors                 []int // beside those that every route of its kind has
	// describe tells the answers of a handler that writes them itself.
	describe func(huma.Registry) map[string]*huma.Response
}

// The sections of the document.
const (
	tagEvents   = "Events"
	tagSeats    = "Seats and holds"
	tagBookings = "Bookings"
	tagOrgs     = "Organizations"
	tagMe       = "You"
	tagService  = "Service"
)

// table lists all routes. Sign-in, the websocket and the documents are not in
// it: they belong to other rooms or are no calls.
func (s *Server) table() []route {
	const (
		get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
		created, none       = http.StatusCreated, http.StatusNoContent
		conflict, stale     = http.StatusConflict, http.StatusPreconditionFailed
	)
	return []route{
		on(get, "/events", access.EventRead, about{id: "list-events", tag: tagEvents, summary: "List events",
			more: "By start, the earliest first. Members-only events show to their organization's members."}, s.listEvents),
		on(post, "/events", access.EventCreate, about{id: "create-event", tag: tagEvents, summary: "Create an event", status: created,
			errors: []int{conflict}}, s.createEvent),
		on(get, "/events/{id}", access.EventRead, about{id: "get-event", tag: tagEvents, summary: "Read an event",
			more: "The ETag is the revision of the settings; sales don't move it."}, s.getEvent),
		on(put, "/events/{id}", access.EventWrite, about{id: "update-event", tag: tagEvents, summary: "Change an event",
			more: "Changes the fields given and keeps the others.", errors: []int{conflict, stale}}, s.updateEvent),
		on(del, "/events/{id}", access.EventWrite, about{id: "delete-event", tag: tagEvents, summary: "Delete an event", status: none,
			more: "Only while nobody ever booked (`event_has_bookings`); cancel it instead.", errors: []int{conflict}}, s.deleteEvent),
		on(post, "/events/{id}/cancel", access.EventWrite, about{id: "cancel-event", tag: tagEvents, summary: "Cancel an event",
			more: "At once and for good; its bookings read as cancelled from then on, and their people are told.", errors: []int{conflict}}, s.cancelEvent),

		on(get, "/events/{id}/seats", access.EventRead, about{id: "get-seats", tag: tagSeats, summary: "Read the seats",
			more: seatsDoc, describe: describeSeats}, s.getSeats),
		on(get, "/events/{id}/holds", access.EventBook, about{id: "get-holds", tag: tagSeats, summary: "Read your holds"}, s.getHolds),
		on(put, "/events/{id}/holds", access.EventBook, about{id: "put-holds", tag: tagSeats, summary: "Hold seats",
			more:   "Replaces your holds at this event. The same list again renews them, an empty one releases all. Over a limit (`seat_limit`) or with a queue in front (`waitlist_first`) nothing changes.",
			errors: []int{conflict}}, s.putHolds),
		on(del, "/events/{id}/holds", access.EventBook, about{id: "delete-holds", tag: tagSeats, summary: "Release your holds", status: none}, s.deleteHolds),

		on(get, "/events/{id}/bookings", access.EventSales, about{id: "list-event-bookings", tag: tagBookings, summary: "List an event's bookings",
			more: "The newest first, for those who run the event."}, s.listEventBookings),
		on(get, "/events/{id}/waitlist", access.EventSales, about{id: "list-waitlist", tag: tagBookings, summary: "List an event's waitlist",
			more: "In order, for those who run the event."}, s.listWaitlist),
		on(post, "/bookings", access.EventBook, about{id: "create-booking", tag: tagBookings, summary: "Book seats, or join the waitlist", status: created,
			more: bookDoc, errors: []int{conflict}}, s.createBooking),
		on(get, "/bookings/user/{userId}", access.BookingRead, about{id: "list-user-bookings", tag: tagBookings, summary: "List a person's bookings",
			more: "The newest first. You see all of your own; of others, those at events that you run."}, s.listUserBookings),
		on(get, "/bookings/{id}", access.BookingRead, about{id: "get-booking", tag: tagBookings, summary: "Read a booking"}, s.getBooking),
		on(get, "/bookings/{id}/history", access.BookingRead, about{id: "get-booking-history", tag: tagBookings, summary: "Read what happened to a booking",
			more: "The oldest first, all of it."}, s.getHistory),
		on(post, "/bookings/{id}/cancel", access.BookingChange, about{id: "cancel-booking", tag: tagBookings, summary: "Cancel a booking",
			more: "Its seats go to the waitlist at once.", errors: []int{conflict}}, s.cancelBooking),
		on(post, "/bookings/{id}/cancel-seats", access.BookingChange, about{id: "cancel-seats", tag: tagBookings, summary: "Give some seats back",
			more: "All of them cancel the booking.", errors: []int{conflict}}, s.cancelSeats),

		on(post, "/organizations", access.SignedIn, about{id: "create-organization", tag: tagOrgs, summary: "Found an organization", status: created,
			more: "You become its orgAdmin."}, s.createOrg),
		on(get, "/organizations", access.SignedIn, about{id: "list-organizations", tag: tagOrgs, summary: "List your organizations"}, s.listOrgs),
		on(get, "/organizations/{id}", access.OrgRead, about{id: "get-organization", tag: tagOrgs, summary: "Read an organization"}, s.getOrg),
		on(get, "/organizations/{id}/members", access.MembersRead, about{id: "list-members", tag: tagOrgs, summary: "List members", more: "For members."}, s.listMembers),
		on(post, "/org-invites", access.InvitesManage, about{id: "create-invite", tag: tagOrgs, summary: "Invite somebody", status: created,
			more: "By exact address; the answer is the same whether an account exists or not. For orgAdmins.", errors: []int{conflict}}, s.createInvite),
		on(get, "/org-invites", access.InvitesManage, about{id: "list-invites", tag: tagOrgs, summary: "List invites",
			more: "With `org_id` those of an organization, for its orgAdmins; without, those that you can answer, by your verified address."}, s.listInvites),
		on(get, "/org-invites/by-token", access.SignedIn, about{id: "get-invite-by-token", tag: tagOrgs, summary: "Read the invite to which a mailed link leads",
			more:   "For whoever opens the link, so that an invite to another account can be explained; only the invited can answer it.",
			errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}, s.getInviteByToken),
		on(post, "/org-invites/{id}/accept", access.SignedIn, about{id: "accept-invite", tag: tagOrgs, summary: "Accept an invite", errors: []int{conflict}}, s.acceptInvite),
		on(post, "/org-invites/{id}/reject", access.SignedIn, about{id: "reject-invite", tag: tagOrgs, summary: "Reject an invite", errors: []int{conflict}}, s.rejectInvite),
		on(del, "/org-invites/{id}", access.InvitesManage, about{id: "revoke-invite", tag: tagOrgs, summary: "Withdraw an invite", status: none, errors: []int{conflict}}, s.revokeInvite),

		on(get, "/users/me", access.SignedIn, about{id: "get-me", tag: tagMe, summary: "Read who you are"}, s.getMe),
		on(get, "/notifications", access.SignedIn, about{id: "list-notifications", tag: tagMe, summary: "List your notifications", more: "The newest first."}, s.listNotifications),
		on(post, "/notifications/{id}/read", access.SignedIn, about{id: "read-notification", tag: tagMe, summary: "Mark a notification read", status: none}, s.readNotification),
		on(post, "/notifications/read-all", access.SignedIn, about{id: "read-all-notifications", tag: tagMe, summary: "Mark all notifications read", status: none}, s.readAllNotifications),

		on(get, "/", access.Anyone, about{id: "get-service", tag: tagService, summary: "Read name, version and status"}, s.getService),
		on(get, "/db-test", access.Anyone, about{id: "test-database", tag: tagService, summary: "Make a round trip to the database",
			more: "Within a second the last answer is repeated."}, s.testDatabase),
		on(get, "/healthz", access.Anyone, about{id: "get-health", tag: tagService, summary: "Tell whether the process lives"}, s.getHealth),
		on(get, "/readyz", access.Anyone, about{id: "get-readiness", tag: tagService, summary: "Tell whether booking works"}, s.getReadiness),
	}
}

// on makes a route of a handler; its types say what is read and answered.
func on[I, O any](method, path string, action access.Action, a about, handle func(context.Context, *I) (*O, error)) route {
	return route{method: method, path: path, action: action, about: a, register: func(s *Server, rt route) {
		_, hasBody := reflect.TypeFor[I]().FieldByName("Body")
		huma.Register(s.huma, rt.operation(s.huma.OpenAPI().Components.Schemas, hasBody), handle)
	}}
}

func (rt route) operation(schemas huma.Registry, hasBody bool) huma.Operation {
	op := huma.Operation{
		OperationID: rt.about.id, Method: rt.method, Path: rt.path,
		Summary: rt.about.summary, Description: rt.about.more, Tags: []string{rt.about.tag},
		DefaultStatus: rt.about.status,
		// The body is read and bounded before; without this the library would
		// set deadlines on a connection that has nothing left to read.
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: -1,
		Errors:     append(rt.commonErrors(hasBody), rt.about.errors...),
		Extensions: map[string]any{"x-action": rt.action},
	}
	if rt.about.describe != nil {
		op.Responses = rt.about.describe(schemas)
	}
	if refusal := visitorRefusal(rt); refusal != nil {
		op.Middlewares = huma.Middlewares{refuseVisitors(refusal)}
	}
	visitor := map[string][]string{}
	op.Security = []map[string][]string{{"session": {}}, {"token": {}}}
	if access.Allows(rt.action, access.Principal{}, access.NoRole, access.Thing{}) {
		op.Security = append([]map[string][]string{visitor}, op.Security...)
	}
	return op
}

// commonErrors are those that every route of its kind can answer.
func (rt route) commonErrors(hasBody bool) []int {
	codes := []int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	switch rt.action {
	case access.EventCreate, access.EventBook, access.InvitesManage: // the thing may stand in the body or the query
		codes = append(codes, http.StatusNotFound)
	default:
		if strings.Contains(rt.path, "{") {
			codes = append(codes, http.StatusNotFound)
		}
	}
	if rt.method != http.MethodGet {
		codes = append(codes, http.StatusForbidden) // from another site, if for nothing else
	}
	switch rt.action {
	case access.EventCreate, access.EventWrite, access.EventSales, access.MembersRead, access.InvitesManage:
		codes = append(codes, http.StatusForbidden)
	}
	if hasBody {
		codes = append(codes, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	return codes
}
