package mailbox

import (
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"happening/internal/fault"
	"happening/internal/notify"
)

// How many mails a list shows.
const (
	defaultList = 50
	maxList     = 200
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"linked": linked,
	"when":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") },
}).ParseFS(pages, "pages/*.html"))

// The pages run no script and load nothing but their stylesheet. A mail's
// HTML is somebody else's: it is framed in a sandbox without origin, and its
// links open elsewhere.
const (
	pageCSP = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	mailCSP = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

// Handler serves the paths at and below /mailbox.
func (b *Mailbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mailbox", b.answer(b.list))
	mux.HandleFunc("GET /mailbox/{id}", b.answer(b.show))
	mux.HandleFunc("GET /mailbox/{id}/html", b.answer(b.html))
	mux.HandleFunc("GET /mailbox/style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeFileFS(w, r, pages, "pages/style.css")
	})
	mux.Handle("GET /mailbox/{$}", http.RedirectHandler("/mailbox", http.StatusSeeOther))
	return mux
}

// answer renders the errors of a handler.
func (b *Mailbox) answer(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pageCSP)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		err := handle(w, r)
		var f *fault.Error
		switch {
		case err == nil:
		case errors.Is(err, fault.ErrNotFound):
			http.Error(w, "There is no such mail (any more).", http.StatusNotFound)
		case errors.As(err, &f) && f.Kind == fault.Invalid:
			http.Error(w, "The limit must be between 1 and "+strconv.Itoa(maxList)+".", http.StatusUnprocessableEntity)
		default:
			slog.ErrorContext(r.Context(), "mailbox", "error", err)
			http.Error(w, "The mailbox can't be read right now.", http.StatusInternalServerError)
		}
	}
}

// entry is a mail as scripts read it.
type entry struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	CreatedAt time.Time `json:"created_at"`
}

func entryOf(m notify.KeptMail) entry {
	return entry{ID: m.ID, To: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML, CreatedAt: m.At.UTC()}
}

func (b *Mailbox) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit := defaultList
	if given := query.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > maxList {
			return fault.InvalidFields(fault.Field{Name: "limit", Message: "out of range"})
		}
		limit = n
	}
	to := strings.TrimSpace(query.Get("to"))
	var mails []notify.KeptMail
	if storable(to) {
		var err error
		if mails, err = b.store.Mails(r.Context(), to, limit); err != nil {
			return err
		}
	}
	entries := make([]entry, 0, len(mails))
	for _, m := range mails {
		entries = append(entries, entryOf(m))
	}
	if query.Get("format") == "json" {
		return writeJSON(w, map[string]any{"items": entries, "next_cursor": nil})
	}
	return render(w, "list.html", map[string]any{"To": to, "Mails": entries, "Limit": limit, "Full": len(entries) == limit})
}

// storable says whether the database can hold the text, and so whether there
// is any use in asking it.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// mail finds the mail that the path names.
func (b *Mailbox) mail(r *http.Request) (notify.KeptMail, error) {
	id := r.PathValue("id")
	if !storable(id) {
		return notify.KeptMail{}, fault.ErrNotFound
	}
	return b.store.Mail(r.Context(), id)
}

func (b *Mailbox) show(w http.ResponseWriter, r *http.Request) error {
	m, err := b.mail(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("format") == "json" {
		return writeJSON(w, entryOf(m))
	}
	return render(w, "mail.html", entryOf(m))
}

func (b *Mailbox) html(w http.ResponseWriter, r *http.Request) error {
	m, err := b.mail(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", mailCSP)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = w.Write([]byte(m.HTML))
	return err
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

func render(w http.ResponseWriter, page string, data any) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return templates.ExecuteTemplate(w, page, data)
}

// address matches web addresses in a mail's text form.
var address = regexp.MustCompile(`https?://[^\s<>"]+`)

// linked makes the web addresses in a text clickable and everything else
// plain.
func linked(text string) template.HTML {
	var out strings.Builder
	done := 0
	for _, at := range address.FindAllStringIndex(text, -1) {
		out.WriteString(template.HTMLEscapeString(text[done:at[0]]))
		link := template.HTMLEscapeString(text[at[0]:at[1]])
		out.WriteString(`<a href="` + link + `" target="_blank" rel="noopener noreferrer">` + link + `</a>`)
		done = at[1]
	}
	out.WriteString(template.HTMLEscapeString(text[done:]))
	return template.HTML(out.String())
}
