package httpapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"happening/internal/access"
)

const documentDoc = `Happening sells the numbered seats of events, keeps waitlists, and tells people what happened to their bookings.

Callers are a browser session (cookie) or a bearer access token. Ids are UUIDs, times RFC 3339: any offset in, UTC out. Lists take limit and cursor and answer items and next_cursor. What you may not know of is 404, the same as what is not there.

Errors are application/problem+json with a stable code to branch on, and an entry for each bad field. With 429 and 503 comes Retry-After. There is no price and no payment in it.`

// document is the empty OpenAPI document, with what is true of all routes.
func document(version, publicURL string) huma.Config {
	config := huma.DefaultConfig("Happening", version)
	config.Info.Description = documentDoc
	// Served by ourselves: without a CDN, without schema links in answers.
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookieName(publicURL), Description: "A browser's session, begun at /auth/login on the client's address."},
		"token":   {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token of the OpenID provider."},
	}
	config.Tags = []*huma.Tag{
		{Name: tagEvents, Description: "What takes place, when and where."},
		{Name: tagSeats, Description: "The live map, and seats that somebody is choosing right now. A hold expires by itself and is never a sale."},
		{Name: tagBookings, Description: "Parties of one or more seats: confirmed, waiting or cancelled."},
		{Name: tagOrgs, Description: "Tenants, their members and invites."},
		{Name: tagMe, Description: "Who you are, and what you were told."},
		{Name: tagService, Description: "The service itself."},
	}
	return config
}

// sessionCookieName is bound to the host by its prefix wherever the public
// address is https.
func sessionCookieName(publicURL string) string {
	if strings.HasPrefix(publicURL, "https:") {
		return "__Host-happening_session"
	}
	return "happening_session"
}

// allowNull names null among the words of an enumeration that may be null,
// which the library leaves to the type alone.
func allowNull(schemas huma.Registry) {
	for _, schema := range schemas.Map() {
		for _, p := range schema.Properties {
			if p.Nullable && len(p.Enum) > 0 && !slices.Contains(p.Enum, nil) {
				p.Enum = append(p.Enum, nil)
			}
		}
	}
}

// nullable says of properties that are things of their own, and so stand
// elsewhere in the document, that they may be null.
func nullable(s *huma.Schema, properties ...string) *huma.Schema {
	for _, name := range properties {
		p := s.Properties[name]
		s.Properties[name] = &huma.Schema{Description: p.Description, AnyOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}}
	}
	return s
}

// openAPIDocument is the document as it is served and kept under docs/.
func openAPIDocument(doc *huma.OpenAPI) ([]byte, error) {
	compact, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("httpapi: OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("httpapi: OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

//go:embed docs.html docs.css
var docFiles embed.FS

var docsTemplate = template.Must(template.New("docs.html").Funcs(template.FuncMap{"prose": prose}).ParseFS(docFiles, "docs.html"))

// prose shows what stands between backticks as code.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}

// docsPolicy lets the page load its own stylesheet and nothing else.
var docsPolicy = []string{"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}

// serveDocuments adds the document and the page that shows it.
func (s *Server) serveDocuments(page []byte) error {
	spec, err := s.OpenAPI()
	if err != nil {
		return err
	}
	css, err := docFiles.ReadFile("docs.css")
	if err != nil {
		return err
	}
	file := func(contentType string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["Content-Security-Policy"] = docsPolicy
			forPages(h)
			h.Set("Cache-Control", "no-cache")
			h.Set("Content-Type", contentType)
			_, _ = w.Write(body)
		}
	}
	s.mux.HandleFunc("GET /openapi.json", file("application/json", spec))
	s.mux.HandleFunc("GET /docs", file("text/html; charset=utf-8", page))
	s.mux.HandleFunc("GET /docs/style.css", file("text/css; charset=utf-8", css))
	return nil
}

// What the page of the document shows.
type (
	docsPage struct {
		Title, Version string
		About          []string
		Sections       []docsSection
		Types          []docsType
	}
	docsSection struct {
		Name, About string
		Calls       []docsCall
	}
	docsCall struct {
		ID, Method, Path, Summary, About, Who string
		Params                                []docsField
		Body                                  string // name of a type
		Answers                               []docsAnswer
		Problems                              []string // statuses
	}
	docsAnswer struct {
		Status, About string
		Types         []string
	}
	docsType struct {
		Name   string
		Fields []docsField
	}
	docsField struct {
		Name, In, About string
		Type            docsTypeRef
		Needed          bool
		Rules           []string
	}
	// docsTypeRef is a type in words, with the name of its own entry if it
	// has one.
	docsTypeRef struct {
		Before, Name, After string
	}
)

// renderDocs makes the page of the document once; it needs no script.
func renderDocs(doc *huma.OpenAPI) ([]byte, error) {
	page := docsPage{Title: doc.Info.Title, Version: doc.Info.Version, About: strings.Split(doc.Info.Description, "\n\n")}
	for _, tag := range doc.Tags {
		section := docsSection{Name: tag.Name, About: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
			item := doc.Paths[path]
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					section.Calls = append(section.Calls, docsCallOf(path, op))
				}
			}
		}
		page.Sections = append(page.Sections, section)
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		page.Types = append(page.Types, docsTypeOf(name, schemas[name]))
	}
	var out bytes.Buffer
	if err := docsTemplate.Execute(&out, page); err != nil {
		return nil, fmt.Errorf("httpapi: docs page: %w", err)
	}
	return out.Bytes(), nil
}

// whoMay words the access table for readers; a test holds that no action of a
// route is missing.
var whoMay = map[access.Action]string{
	access.Anyone:        "everybody",
	access.SignedIn:      "whoever is signed in, about themselves",
	access.EventCreate:   "organizers and orgAdmins of the organization",
	access.EventRead:     "everybody; members-only events: members",
	access.EventWrite:    "organizers and orgAdmins of the event's organization",
	access.EventBook:     "whoever is signed in; members-only events: members",
	access.EventBookFor:  "organizers and orgAdmins of the event's organization",
	access.EventSales:    "organizers and orgAdmins of the event's organization",
	access.BookingRead:   "the booker, and organizers and orgAdmins of the event",
	access.BookingChange: "the booker, and organizers and orgAdmins of the event",
	access.BookingRun:    "organizers and orgAdmins of the event; to all others but the booker there is no such booking",
	access.OrgRead:       "everybody",
	access.MembersRead:   "members",
	access.MembersManage: "orgAdmins",
	access.MemberRemove:  "orgAdmins, and whoever leaves by themselves",
	access.InvitesManage: "orgAdmins",
	access.OrgWrite:      "orgAdmins",
	access.AuditRead:     "orgAdmins",
	access.EventAudit:    "organizers and orgAdmins of the event's organization",
}

func docsCallOf(path string, op *huma.Operation) docsCall {
	call := docsCall{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, About: op.Description}
	if action, ok := op.Extensions["x-action"].(access.Action); ok {
		call.Who = whoMay[action]
	}
	for _, p := range op.Parameters {
		f := docsField{Name: p.Name, In: p.In, About: p.Description, Type: docsRef(p.Schema), Needed: p.Required, Rules: docsRules(p.Schema)}
		if f.About == "" {
			f.About = p.Schema.Description
		}
		call.Params = append(call.Params, f)
	}
	if op.RequestBody != nil {
		if m := op.RequestBody.Content["application/json"]; m != nil {
			call.Body = docsRef(m.Schema).Name
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if r.Content[problemType] != nil {
			call.Problems = append(call.Problems, status)
			continue
		}
		a := docsAnswer{Status: status, About: r.Description}
		if m := r.Content["application/json"]; m != nil {
			for _, schema := range append([]*huma.Schema{m.Schema}, m.Schema.AnyOf...) {
				if name := docsRef(schema).Name; name != "" {
					a.Types = append(a.Types, name)
				}
			}
		}
		call.Answers = append(call.Answers, a)
	}
	return call
}

func docsTypeOf(name string, schema *huma.Schema) docsType {
	t := docsType{Name: name}
	for _, field := range slices.Sorted(maps.Keys(schema.Properties)) {
		p := schema.Properties[field]
		t.Fields = append(t.Fields, docsField{
			Name: field, About: p.Description, Type: docsRef(p), Rules: docsRules(p), Needed: slices.Contains(schema.Required, field),
		})
	}
	return t
}

func docsRef(schema *huma.Schema) docsTypeRef {
	switch {
	case schema == nil:
		return docsTypeRef{}
	case schema.Ref != "":
		return docsTypeRef{Name: schema.Ref[strings.LastIndexByte(schema.Ref, '/')+1:]}
	case len(schema.AnyOf) > 0: // see nullable
		inner := docsRef(schema.AnyOf[0])
		inner.After += " or null"
		return inner
	case schema.Type == huma.TypeArray:
		inner := docsRef(schema.Items)
		inner.Before = "list of " + inner.Before
		return inner
	}
	words := schema.Type
	switch schema.Format {
	case "uuid":
		words = "id"
	case "date-time":
		words = "time"
	}
	if schema.Nullable {
		words += " or null"
	}
	return docsTypeRef{Before: words}
}

func docsRules(schema *huma.Schema) (rules []string) {
	inner := schema
	if schema.Type == huma.TypeArray {
		inner = schema.Items
	}
	if len(inner.Enum) > 0 {
		words := make([]string, len(inner.Enum))
		for i, v := range inner.Enum {
			words[i] = fmt.Sprint(v)
		}
		rules = append(rules, strings.Join(words, ", "))
	}
	if inner.Minimum != nil && inner.Maximum != nil {
		rules = append(rules, format("%v to %v", *inner.Minimum, *inner.Maximum))
	}
	if schema.MaxItems != nil {
		rules = append(rules, fmt.Sprintf("at most %d", *schema.MaxItems))
	}
	if schema.MaxLength != nil {
		rules = append(rules, fmt.Sprintf("at most %d characters", *schema.MaxLength))
	}
	if schema.Default != nil {
		rules = append(rules, fmt.Sprintf("default %v", schema.Default))
	}
	return rules
}
