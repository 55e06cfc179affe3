package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"slices"
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

// table lists all routes, which stand beside their handlers. Sign-in, the
// websocket and the documents are not in it: they belong to other rooms or are
// no calls.
func (s *Server) table() []route {
	return slices.Concat(
		s.eventRoutes(), s.seatRoutes(), s.houseRoutes(), s.bookingRoutes(),
		s.orgRoutes(), s.memberRoutes(), s.inviteRoutes(), s.auditRoutes(),
		s.meRoutes(), s.notificationRoutes(), s.serviceRoutes(),
	)
}

// What routes are written with.
const (
	get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	created, none       = http.StatusCreated, http.StatusNoContent
	conflict, stale     = http.StatusConflict, http.StatusPreconditionFailed
)

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
		MaxBodyBytes: maxHouse + 1, BodyReadTimeout: -1,
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
	case access.EventCreate, access.EventWrite, access.EventBookFor, access.EventSales, access.EventAudit,
		access.OrgWrite, access.MembersRead, access.MembersManage, access.MemberRemove, access.InvitesManage, access.AuditRead:
		codes = append(codes, http.StatusForbidden)
	}
	if hasBody {
		codes = append(codes, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	return codes
}
