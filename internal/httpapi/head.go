package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"happening/internal/access"
	"happening/internal/event"
)

// Limits of a public page's head.
const (
	maxSummary   = 200 // characters, about what a search result or a card shows
	headPatience = 500 * time.Millisecond
)

// shell is the client's page, taken apart where a public page's head goes in.
type shell struct {
	plain *asset
	// before, head, after: title and description of the plain page lie in
	// the middle one and are replaced as a whole.
	content []byte
}

var (
	titleElement       = regexp.MustCompile(`(?s)<title>.*?</title>`)
	descriptionElement = regexp.MustCompile(`(?s)<meta\s+name="description"[^>]*>`)
	headEnd            = []byte("</head>")
)

func newShell(content []byte) *shell {
	return &shell{content: content, plain: pageAsset(content)}
}

// pageAsset makes an answer of a page. It is small, so that compressing it for
// each request costs less than keeping it.
func pageAsset(content []byte) *asset {
	a := &asset{contentType: "text/html; charset=utf-8", cache: cachePage, plain: content, tag: contentTag(content)}
	if zipped, err := zip(content); err == nil {
		a.zipped = zipped
	}
	return a
}

// with gives the page with another title and description, and more in its head.
func (s *shell) with(title, description, more string) *asset {
	page := titleElement.ReplaceAllLiteral(s.content, nil)
	page = descriptionElement.ReplaceAllLiteral(page, nil)
	head := "<title>" + html.EscapeString(title) + "</title>\n" +
		`<meta name="description" content="` + html.EscapeString(description) + `">` + "\n" + more
	return pageAsset(bytes.Replace(page, headEnd, append([]byte(head), headEnd...), 1))
}

// The addresses of the client's pages that have a head of their own.
const (
	eventPages = "/events/"
	orgPages   = "/organizations/"
)

// pageOf says whether a path of the client is the page of one of these things.
func pageOf(path, pages string) (uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(path, pages)
	if !ok || len(rest) != len(uuid.Nil.String()) {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(rest)
	return id, err == nil
}

// mayLook counts a page with a head of its own: a file costs nothing and isn't
// counted, this one costs a query.
func (s *Server) mayLook(r *http.Request) bool {
	if s.deps.AddressLimit == nil {
		return true
	}
	ok, _ := s.deps.AddressLimit.Allow(s.address(r))
	return ok
}

// eventPage is the client's page with the head of a public event, as a visitor
// sees it, whoever asks: search engines and chats get it and may keep it. What
// a visitor may not see has the plain head, and so has everything while the
// database is away.
func (c *site) eventPage(r *http.Request, id uuid.UUID) *asset {
	s := c.server
	if !s.mayLook(r) {
		return c.index.plain
	}
	ctx, cancel := context.WithTimeout(r.Context(), headPatience)
	defer cancel()
	v, err := s.deps.Events.Get(ctx, access.Principal{}, id)
	if err != nil {
		return c.index.plain
	}
	head, summary, err := eventHead(&v.Event, s.deps.PublicURL, s.deps.Now())
	if err != nil {
		s.deps.Log.ErrorContext(ctx, "public page's head failed", "event", id, "error", err)
		return c.index.plain
	}
	return c.index.with(v.Name+" · Happening", summary, head)
}

// eventHead makes social card tags and the schema.org description of an event.
func eventHead(e *event.Event, publicURL string, now time.Time) (head, summary string, err error) {
	summary = eventSummary(e)
	address := publicURL + "/events/" + e.ID.String()
	data, err := json.Marshal(schemaEvent(e, address, summary, now))
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	b.WriteString(`<link rel="canonical" href="` + html.EscapeString(address) + `">` + "\n")
	for _, tag := range [][2]string{
		{"og:type", "website"}, {"og:site_name", "Happening"}, {"og:title", e.Name}, {"og:description", summary}, {"og:url", address},
	} {
		b.WriteString(`<meta property="` + tag[0] + `" content="` + html.EscapeString(tag[1]) + `">` + "\n")
	}
	b.WriteString(`<meta name="twitter:card" content="summary">` + "\n")
	// A data block is not executed, so the content security policy lets it
	// stand; the encoder escapes what could end the element.
	b.WriteString(`<script type="application/ld+json">` + string(data) + "</script>\n")
	return b.String(), summary, nil
}

// eventSummary says when and where in the event's own zone, and what.
func eventSummary(e *event.Event) string {
	parts := []string{}
	if zone, err := time.LoadLocation(e.TimeZone); err == nil {
		parts = append(parts, e.StartsAt.In(zone).Format("Monday, 2 January 2006, 15:04"))
	}
	if e.Venue != "" {
		parts = append(parts, e.Venue)
	}
	if about := plainText(e.Description); about != "" {
		parts = append(parts, about)
	}
	return shorten(strings.Join(parts, " · "), maxSummary)
}

// shorten cuts after a word, where there are words.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	s = string([]rune(s)[:most-1])
	if space := strings.LastIndexByte(s, ' '); space > len(s)/2 {
		s = s[:space]
	}
	return strings.TrimRight(s, " ,.;·") + "…"
}

// plainText reads the words out of Markdown.
func plainText(markdown string) string {
	source := []byte(markdown)
	var b strings.Builder
	// The walk's only errors are those of its function, which has none.
	_ = ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				b.WriteByte(' ')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.HTMLBlock, *ast.RawHTML, *ast.FencedCodeBlock, *ast.CodeBlock:
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// schemaEvent describes an event in the words of schema.org/Event.
func schemaEvent(e *event.Event, address, summary string, now time.Time) map[string]any {
	status := "https://schema.org/EventScheduled"
	if e.StatusAt(now) == event.Cancelled {
		status = "https://schema.org/EventCancelled"
	}
	starts, ends := e.StartsAt, e.EndsAt
	if zone, err := time.LoadLocation(e.TimeZone); err == nil {
		starts, ends = starts.In(zone), ends.In(zone)
	}
	data := map[string]any{
		"@context": "https://schema.org", "@type": "Event", "@id": address, "url": address,
		"name": e.Name, "description": summary,
		"startDate": starts.Format(time.RFC3339), "endDate": ends.Format(time.RFC3339), "eventStatus": status,
		"organizer":               map[string]any{"@type": "Organization", "name": e.OrgName},
		"maximumAttendeeCapacity": e.TotalSlots, "remainingAttendeeCapacity": e.AvailableSlots,
	}
	if e.Venue != "" {
		data["location"] = map[string]any{"@type": "Place", "name": e.Venue, "address": e.Venue}
	}
	return data
}
