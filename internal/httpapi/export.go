package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/user"
)

const meExportDoc = "A zip archive of JSON files, with a README.txt that says what each is. It is put together while it is sent, one at a time for each person."

const (
	tooMany = http.StatusTooManyRequests
	zipType = "application/zip"
	// archivePatience is how long a part of an export may take to be taken by
	// its reader. Nobody is waited for longer who doesn't read.
	archivePatience = 30 * time.Second
)

// describeMeExport tells of the archive; the handler writes it itself.
func describeMeExport(huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The archive.",
		Headers:     map[string]*huma.Param{"Content-Disposition": {Description: "The file's name.", Schema: &huma.Schema{Type: huma.TypeString}}},
		Content:     map[string]*huma.MediaType{zipType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
}

// meExportAnswer writes itself, as it is longer than what is kept in memory.
type meExportAnswer struct {
	Body func(huma.Context)
}

func (s *Server) exportMe(ctx context.Context, _ *struct{}) (*meExportAnswer, error) {
	return &meExportAnswer{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		out := &attachment{
			ResponseWriter: w, contentType: zipType,
			name:     "happening-" + s.deps.Now().UTC().Format(time.DateOnly) + ".zip",
			deadline: http.NewResponseController(callFrom(ctx).ResponseWriter),
		}
		if r.Method == http.MethodHead {
			out.begin()
			return
		}
		err := s.deps.People.Export(ctx, principal(ctx), out, s.exportedHolds(principal(ctx)))
		switch {
		case err == nil:
			out.done()
		case !out.begun:
			writeProblem(w, r, err)
		default:
			// Half of it is out; cutting the connection tells so. Who hung up
			// knows it already.
			if ctx.Err() == nil {
				callFrom(ctx).logError(ctx, "an export broke off", err)
			}
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// exportedHold is what an export says of the seats that somebody is choosing.
type exportedHold struct {
	EventID     uuid.UUID `json:"event_id"`
	SeatNumbers []int32   `json:"seat_numbers"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// exportedHolds is the part of an export that stands in no database. Holds end
// within minutes, so that nobody is kept from the rest while they can't be
// read.
func (s *Server) exportedHolds(who access.Principal) user.ExportExtra {
	return user.ExportExtra{
		Name: "holds", About: "the seats that you are choosing right now, which nobody else can take for some minutes; null: they could not be read",
		Read: func(ctx context.Context) (any, error) {
			held, err := s.deps.Bookings.HeldNow(ctx, who)
			if err != nil {
				s.deps.Log.WarnContext(ctx, "an export goes without its holds", "error", err)
				return nil, nil
			}
			all := []exportedHold{}
			for _, h := range held {
				all = append(all, exportedHold{EventID: h.EventID, SeatNumbers: h.Seats, ExpiresAt: h.ExpiresAt.UTC()})
			}
			return all, nil
		},
	}
}

// attachment is a file that is sent while it is made. Its headers go out with
// its first bytes, so that what fails before can still be told.
type attachment struct {
	http.ResponseWriter
	contentType, name string
	deadline          *http.ResponseController
	begun             bool
}

func (a *attachment) begin() {
	a.begun = true
	a.Header().Set("Content-Type", a.contentType)
	a.Header().Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
}

// Write implements io.Writer.
func (a *attachment) Write(b []byte) (int, error) {
	if !a.begun {
		a.begin()
	}
	// Not every connection knows deadlines; those of a server do.
	_ = a.deadline.SetWriteDeadline(time.Now().Add(archivePatience))
	return a.ResponseWriter.Write(b)
}

// done lets the connection serve on.
func (a *attachment) done() { _ = a.deadline.SetWriteDeadline(time.Time{}) }
