package httpapi

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
)

// auditRoutes are those of the record of who did what.
func (s *Server) auditRoutes() []route {
	return []route{
		on(get, "/organizations/{id}/audit", access.AuditRead, about{id: "list-audit", tag: tagOrgs, summary: "Read an organization's record",
			more: "Who did what, the newest first. " + auditDoc}, s.listAudit),
		on(get, "/organizations/{id}/audit/export", access.AuditRead, about{id: "export-audit", tag: tagOrgs, summary: "Export an organization's record",
			more: exportDoc, describe: describeExport, errors: []int{conflict}}, s.exportAudit),
		on(get, "/events/{id}/audit", access.EventAudit, about{id: "list-event-audit", tag: tagEvents, summary: "Read what was done to an event",
			more: "The newest first. " + auditDoc}, s.listEventAudit),
	}
}

const (
	auditDoc = "The record itself holds ids and settings; names are those that people and things have now. " +
		"Whoever had their account erased is told as `Deleted account`."
	exportDoc = "As an attachment, the newest first: CSV for spreadsheets (UTF-8 with a byte order mark; what a spreadsheet would take for a formula begins with `'`) or JSON. " +
		"At most 1,000,000 entries (`export_too_large`), one export of yours at a time (`export_running`). " +
		"An export that ends too early is cut off in the middle, never complete."
	// exportPatience is how long a page of an export may take to be read by
	// its caller, who otherwise keeps others from nothing but us.
	exportPatience = time.Minute
)

// AuditEntry is one line of the record.
type AuditEntry struct {
	ID        uuid.UUID     `json:"id" format:"uuid"`
	At        time.Time     `json:"at"`
	Action    auditAction   `json:"action"`
	Actor     *AuditActor   `json:"actor" doc:"null: the system or the operator did it."`
	SubjectID uuid.UUID     `json:"subject_id" format:"uuid"`
	Subject   *AuditSubject `json:"subject" doc:"null: it is gone."`
	Before    audit.Details `json:"before" nullable:"true" doc:"The settings before; null for what was not there."`
	After     audit.Details `json:"after" nullable:"true" doc:"The settings after; null for what is gone."`
}

// TransformSchema implements huma.SchemaTransformer.
func (AuditEntry) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return nullable(s, "actor", "subject")
}

// AuditActor is who did something.
type AuditActor struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
}

// AuditSubject is what something was done to.
type AuditSubject struct {
	Kind  string `json:"kind" enum:"event,member,invite,organization"`
	Label string `json:"label" doc:"The name of the event, person or organization, or the invite's address."`
}

// auditAction is a word of the record.
type auditAction string

// Schema implements huma.SchemaProvider.
func (auditAction) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, a := range audit.Actions() {
		s.Enum = append(s.Enum, string(a))
	}
	return s
}

func showAudit(l audit.Line) AuditEntry {
	e := AuditEntry{ID: l.ID, At: l.At.UTC(), Action: auditAction(l.Action), SubjectID: l.SubjectID, Before: l.Before, After: l.After}
	if l.ActorID != uuid.Nil {
		e.Actor = &AuditActor{ID: l.ActorID, Name: l.ActorName}
	}
	if l.SubjectLabel != "" {
		e.Subject = &AuditSubject{Kind: string(l.Action.Kind()), Label: l.SubjectLabel}
	}
	return e
}

// AuditFilter narrows the record.
type AuditFilter struct {
	Action    auditAction `query:"action"`
	ActorID   uuid.UUID   `query:"actor_id" format:"uuid" doc:"Only what this person did."`
	SubjectID uuid.UUID   `query:"subject_id" format:"uuid" doc:"Only what was done to this event, invite, person or organization."`
	From      time.Time   `query:"from" doc:"Only what happened then or later."`
	To        time.Time   `query:"to" doc:"Only what happened before."`
}

func (f AuditFilter) filter() audit.Filter {
	return audit.Filter{Action: audit.Action(f.Action), ActorID: f.ActorID, SubjectID: f.SubjectID, From: f.From, To: f.To}
}

func (s *Server) listAudit(ctx context.Context, in *struct {
	OrgPath
	Page
	AuditFilter
}) (*answer[List[AuditEntry]], error) {
	before, err := parseIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.deps.Audit.OfOrg(ctx, principal(ctx), audit.Query{
		Filter: in.filter(), OrgID: in.ID, Before: before, Limit: in.Limit + 1,
	})
	return auditPage(found, in.Limit, err)
}

func (s *Server) listEventAudit(ctx context.Context, in *struct {
	EventPath
	Page
}) (*answer[List[AuditEntry]], error) {
	before, err := parseIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	who := principal(ctx)
	e, err := s.deps.Events.For(ctx, access.EventAudit, who, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := s.deps.Audit.OfEvent(ctx, who, e.ID, audit.Query{OrgID: e.OrgID, Before: before, Limit: in.Limit + 1})
	return auditPage(found, in.Limit, err)
}

func auditPage(found []audit.Line, limit int, err error) (*answer[List[AuditEntry]], error) {
	if err != nil {
		return nil, err
	}
	found, next := cut(found, limit, func(l audit.Line) string { return idCursor(l.ID) })
	return listed(found, next, showAudit), nil
}

type exportInput struct {
	OrgPath
	AuditFilter
	Format string `query:"format" enum:"csv,json" default:"csv"`
}

// exportAnswer writes itself, a page at a time.
type exportAnswer struct {
	Body func(huma.Context)
}

// AuditExport is the record as a JSON file.
type AuditExport struct {
	OrgID      uuid.UUID    `json:"org_id" format:"uuid"`
	ExportedAt time.Time    `json:"exported_at"`
	Items      []AuditEntry `json:"items"`
}

func describeExport(schemas huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The file.",
		Headers:     map[string]*huma.Param{"Content-Disposition": {Description: "With the file's name.", Schema: &huma.Schema{Type: huma.TypeString}}},
		Content: map[string]*huma.MediaType{
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
			"application/json": {Schema: schemas.Schema(reflect.TypeFor[AuditExport](), true, "")},
		},
	}}
}

// exportAudit answers refusals as every route, and then writes the file while
// it reads the record. Once it has begun to, it can only cut the connection to
// say that something failed.
func (s *Server) exportAudit(ctx context.Context, in *exportInput) (*exportAnswer, error) {
	export, err := s.deps.Audit.Export(ctx, principal(ctx), in.ID, in.filter())
	if err != nil {
		return nil, err
	}
	first, err := export.Next(ctx)
	if err != nil {
		export.Close()
		return nil, err
	}
	now := s.deps.Now().UTC()
	return &exportAnswer{Body: func(c huma.Context) {
		defer export.Close()
		r, w := humago.Unwrap(c)
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{
			"filename": "audit-" + in.ID.String() + "-" + now.Format("20060102T150405Z") + "." + in.Format,
		}))
		var file auditFile
		if in.Format == "json" {
			w.Header().Set("Content-Type", "application/json")
			file = &auditJSON{w: w, orgID: in.ID, at: now}
		} else {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
			file = &auditCSV{w: w}
		}
		if r.Method == http.MethodHead {
			return
		}
		if err := writeExport(ctx, file, export, first); err != nil {
			callFrom(ctx).exportCut(ctx, err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// exportCut notes why an export has ended early. That the reader went away, or
// may not read the record any more, is no defect of ours.
func (c *call) exportCut(ctx context.Context, err error) {
	const message = "an export was cut off"
	var refused *fault.Error
	if errors.As(err, &refused) && refused.Kind != fault.Internal || ctx.Err() != nil {
		c.server.deps.Log.InfoContext(ctx, message, "request_id", c.requestID(), "error", err)
		return
	}
	c.logError(ctx, message, err)
}

// auditFile writes the record in one form.
type auditFile interface {
	begin() error
	write(lines []audit.Line) error
	end() error
}

func writeExport(ctx context.Context, file auditFile, export *audit.Export, page []audit.Line) error {
	// Not every connection knows deadlines; those of a server do. The
	// connection's next answer has none.
	connection := http.NewResponseController(callFrom(ctx))
	defer func() { _ = connection.SetWriteDeadline(time.Time{}) }()
	if err := file.begin(); err != nil {
		return err
	}
	for len(page) > 0 {
		_ = connection.SetWriteDeadline(time.Now().Add(exportPatience))
		if err := file.write(page); err != nil {
			return err
		}
		var err error
		if page, err = export.Next(ctx); err != nil {
			return err
		}
	}
	return file.end()
}

// auditJSON writes an AuditExport piece by piece.
type auditJSON struct {
	w     io.Writer
	orgID uuid.UUID
	at    time.Time
	more  bool
}

func (f *auditJSON) begin() error {
	head, err := json.Marshal(AuditExport{OrgID: f.orgID, ExportedAt: f.at, Items: []AuditEntry{}})
	if err != nil {
		return err
	}
	_, err = f.w.Write(head[:len(head)-len("]}")])
	return err
}

func (f *auditJSON) write(lines []audit.Line) error {
	for _, l := range lines {
		separator := ",\n"
		if !f.more {
			separator, f.more = "\n", true
		}
		line, err := json.Marshal(showAudit(l))
		if err != nil {
			return err
		}
		if _, err := f.w.Write(append([]byte(separator), line...)); err != nil {
			return err
		}
	}
	return nil
}

func (f *auditJSON) end() error {
	_, err := io.WriteString(f.w, "\n]}\n")
	return err
}

// byteOrderMark makes spreadsheets read the file as UTF-8; without it some
// take it for the encoding of the machine's country.
const byteOrderMark = "\ufeff"

// auditCSV writes RFC 4180.
type auditCSV struct {
	w   io.Writer
	csv *csv.Writer
}

func (f *auditCSV) begin() error {
	if _, err := io.WriteString(f.w, byteOrderMark); err != nil {
		return err
	}
	f.csv = csv.NewWriter(f.w)
	f.csv.UseCRLF = true
	return f.row("id", "at", "action", "actor_id", "actor", "subject_id", "subject_kind", "subject", "before", "after")
}

func (f *auditCSV) row(cells ...string) error {
	for i, c := range cells {
		cells[i] = sheetCell(c)
	}
	return f.csv.Write(cells)
}

func (f *auditCSV) write(lines []audit.Line) error {
	for _, l := range lines {
		actor := ""
		if l.ActorID != uuid.Nil {
			actor = l.ActorID.String()
		}
		before, err := detailsCell(l.Before)
		if err != nil {
			return err
		}
		after, err := detailsCell(l.After)
		if err != nil {
			return err
		}
		if err := f.row(l.ID.String(), l.At.UTC().Format(time.RFC3339Nano), string(l.Action), actor, l.ActorName,
			l.SubjectID.String(), string(l.Action.Kind()), l.SubjectLabel, before, after); err != nil {
			return err
		}
	}
	f.csv.Flush()
	return f.csv.Error()
}

// detailsCell is empty where there are none.
func detailsCell(d audit.Details) (string, error) {
	if d == nil {
		return "", nil
	}
	raw, err := json.Marshal(d)
	return string(raw), err
}

func (f *auditCSV) end() error {
	f.csv.Flush()
	return f.csv.Error()
}
