package httpapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/testkit"
)

var drawnSeed = flag.Uint64("drawn", 0, "draw the requests of this seed only")

const (
	drawnSeeds    = 3
	drawnRequests = 120 // of each seed
)

// paper is what the OpenAPI document says, as far as requests are drawn from it
// and answers held to it.
type paper struct {
	Paths      map[string]map[string]*operation `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Parameters []struct {
		Name, In string
		Required bool
		Schema   *schema
	}
	RequestBody *struct{ Content map[string]media }
	Responses   map[string]struct{ Content map[string]media }
}

type media struct{ Schema *schema }

// schema is as much of JSON Schema as the document uses.
type schema struct {
	Ref        string `json:"$ref"`
	Type       types
	Format     string
	Enum       []any
	AnyOf      []*schema
	Properties map[string]*schema
	Additional json.RawMessage `json:"additionalProperties"`
	Required   []string
	Items      *schema
	Minimum    *float64
	Maximum    *float64
	MinItems   int
	MaxItems   *int
	MinLength  int
	MaxLength  *int
}

// types are one or several.
type types []string

func (s *types) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*s = types{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(s))
}

func readDocument(t *testing.T, s *Server) *paper {
	t.Helper()
	raw, err := s.OpenAPI()
	must(t, err)
	var d paper
	must(t, json.Unmarshal(raw, &d))
	return &d
}

func (d *paper) resolve(s *schema) *schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// breach says what about a value the schema does not allow; empty: nothing.
func (d *paper) breach(s *schema, value any, at string) string {
	if s = d.resolve(s); s == nil {
		return at + " has a type that the document lacks"
	}
	if len(s.AnyOf) > 0 {
		var all []string
		for _, one := range s.AnyOf {
			b := d.breach(one, value, at)
			if b == "" {
				return ""
			}
			all = append(all, b)
		}
		return strings.Join(all, ", or ")
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) && !(value == nil && slices.Contains(s.Type, "null")) {
		return fmt.Sprintf("%s is %v, which is none of %v", at, value, s.Enum)
	}
	if got := typeOf(value); len(s.Type) > 0 && !slices.Contains(s.Type, got) && !(got == "integer" && slices.Contains(s.Type, "number")) {
		return fmt.Sprintf("%s is of type %s and not %v", at, got, s.Type)
	}
	switch v := value.(type) {
	case string:
		if _, err := uuid.Parse(v); s.Format == "uuid" && err != nil {
			return at + " is no id: " + v
		}
		if _, err := time.Parse(time.RFC3339, v); s.Format == "date-time" && err != nil {
			return at + " is no time: " + v
		}
	case []any:
		for i, item := range v {
			if s.Items == nil {
				break
			}
			if b := d.breach(s.Items, item, fmt.Sprintf("%s[%d]", at, i)); b != "" {
				return b
			}
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				return at + " lacks " + name
			}
		}
		for name, member := range v {
			known, ok := s.Properties[name]
			if !ok && string(s.Additional) == "false" {
				return at + " has " + name + ", of which the document knows nothing"
			}
			if !ok {
				continue
			}
			if b := d.breach(known, member, at+"."+name); b != "" {
				return b
			}
		}
	}
	return ""
}

func typeOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// wrongs says what about an answer the operation does not announce.
func (d *paper) wrongs(o *operation, r reply) string {
	announced, ok := o.Responses[strconv.Itoa(r.status)]
	if !ok || r.status >= 500 {
		return "that status is not to be"
	}
	kind, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	content, ok := announced.Content[kind]
	if !ok && (len(announced.Content) > 0 || r.body != "") {
		return fmt.Sprintf("the content type %q is none of %v", kind, slices.Sorted(maps.Keys(announced.Content)))
	}
	if !strings.HasSuffix(kind, "json") || content.Schema == nil {
		return ""
	}
	var value any
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		return err.Error()
	}
	return d.breach(content.Schema, value, "the answer")
}

// drawer draws requests.
type drawer struct {
	*paper
	rnd   *rand.Rand
	known map[string][]string // ids of things, by the first part of their paths
	spoil int                 // in how many of a thousand cases a value is not what it should be
}

func (r *drawer) chance(ofThousand int) bool { return r.rnd.IntN(1000) < ofThousand }

func oneOf[T any](r *drawer, list ...T) T { return list[r.rnd.IntN(len(list))] }

// id is one of a kind of thing, or now and then of another, or of none.
func (r *drawer) id(kind string) string {
	switch known := r.known[kind]; {
	case r.chance(60):
		return uuid.NewString()
	case r.chance(60) || len(known) == 0:
		return oneOf(r, r.known[oneOf(r, slices.Sorted(maps.Keys(r.known))...)]...)
	default:
		return oneOf(r, known...)
	}
}

// value draws one of a schema; field is its name.
func (r *drawer) value(s *schema, field string) any {
	if r.chance(r.spoil) {
		return oneOf[any](r, nil, "", "x", "\u200b", strings.Repeat("long", 400), -1, 0, 1.5, 1e9, 1e300, true, []any{}, []any{nil}, map[string]any{})
	}
	s = r.resolve(s)
	if len(s.AnyOf) > 0 {
		return r.value(oneOf(r, s.AnyOf...), field)
	}
	if len(s.Enum) > 0 {
		return oneOf(r, s.Enum...)
	}
	kind := "object"
	if len(s.Type) > 0 {
		kind = s.Type[0]
	}
	if len(s.Type) > 1 && r.chance(200) {
		kind = s.Type[1]
	}
	switch kind {
	case "null":
		return nil
	case "boolean":
		return r.chance(500)
	case "integer", "number":
		return r.number(s)
	case "string":
		return r.text(s, field)
	case "array":
		n := s.MinItems + r.rnd.IntN(3)
		list := make([]any, 0, n)
		for range n {
			list = append(list, r.value(s.Items, field))
		}
		return list
	}
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, name) && !r.chance(r.spoil) || r.chance(300) {
			object[name] = r.value(s.Properties[name], name)
		}
	}
	if r.chance(r.spoil) {
		object["nobody_knows"] = 1
	}
	return object
}

// number is mostly a small one.
func (r *drawer) number(s *schema) any {
	least := 0.0
	if s.Minimum != nil {
		least = *s.Minimum
	}
	if s.Maximum != nil && r.chance(50) {
		return *s.Maximum
	}
	return least + float64(r.rnd.IntN(12))
}

func (r *drawer) text(s *schema, field string) string {
	switch {
	case s.Format == "uuid":
		return r.id(map[string]string{"event_id": "events", "org_id": "organizations"}[field])
	case s.Format == "date-time":
		return time.Now().Add(time.Duration(1+r.rnd.IntN(2000)) * time.Hour).UTC().Format(time.RFC3339)
	case field == "email":
		return fmt.Sprintf("person%d@people.test", r.rnd.IntN(9))
	case field == "time_zone":
		return oneOf(r, "Europe/Berlin", "UTC")
	case field == "cursor" || field == "token":
		return "no-" + field
	}
	return strings.Repeat(oneOf(r, "a", "b1", "c d"), max(1, s.MinLength))
}

// query is what stands for a value in an address or a header.
func (r *drawer) query(s *schema, field string) string {
	switch v := r.value(s, field).(type) {
	case string:
		return v
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			return "unspeakable"
		}
		return string(raw)
	}
}

// drawn is a request as it goes out.
type drawn struct {
	path    string
	body    any
	headers []string
}

// request draws one for an operation.
func (r *drawer) request(path string, o *operation) (q drawn) {
	kind := strings.SplitN(path, "/", 3)[1]
	q.path = strings.ReplaceAll(path, "{id}", url.PathEscape(r.id(kind)))
	q.path = strings.ReplaceAll(q.path, "{userId}", url.PathEscape(r.id("users")))
	if r.chance(r.spoil) {
		q.path = strings.Replace(q.path, "-", "%00", 1)
	}
	query := url.Values{}
	for _, p := range o.Parameters {
		if !p.Required && r.chance(700) {
			continue
		}
		switch p.In {
		case "query":
			query.Set(p.Name, r.query(p.Schema, p.Name))
		case "header":
			q.headers = append(q.headers, p.Name+": "+url.PathEscape(r.query(p.Schema, p.Name)))
		}
	}
	if len(query) > 0 {
		q.path += "?" + query.Encode()
	}
	if o.RequestBody == nil {
		return q
	}
	content, ok := o.RequestBody.Content["application/json"]
	if !ok {
		q.body = "no picture"
		q.headers = append(q.headers, "Content-Type: "+slices.Sorted(maps.Keys(o.RequestBody.Content))[0])
		return q
	}
	q.body = r.value(content.Schema, "")
	if r.chance(r.spoil) {
		raw, err := json.Marshal(q.body)
		if err == nil {
			q.body = string(raw[:r.rnd.IntN(len(raw))])
		}
	}
	return q
}

// keep notes what was made.
func (r *drawer) keep(path string, answer reply) {
	var made struct{ ID uuid.UUID }
	if answer.status == 201 && json.Unmarshal([]byte(answer.body), &made) == nil && made.ID != uuid.Nil {
		kind := strings.SplitN(path, "/", 3)[1]
		if strings.HasSuffix(path, "/bookings") {
			kind = "bookings"
		}
		r.known[kind] = append(r.known[kind], made.ID.String())
	}
}

// TestRequestsDrawnFromTheDocument sends what the document allows, and what it
// doesn't, by all kinds of people about all that there is. Nothing panics, no
// answer is 500 or above, each is one that the document announces, and the books
// are right in the end. To draw a seed again: go test ./internal/httpapi -run
// TestRequestsDrawnFromTheDocument -drawn N.
func TestRequestsDrawnFromTheDocument(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*drawnSeed}
	if *drawnSeed == 0 {
		seeds = nil
		for n := range uint64(drawnSeeds) {
			seeds = append(seeds, n+1)
		}
	}
	w := newWorld(t)
	d := readDocument(t, w.server)
	met := map[int]int{} // by status
	for _, seed := range seeds {
		w.draw(t, d, seed, met)
	}
	w.db.CheckClean(t)
	t.Logf("answers by status: %v", met)
	if *drawnSeed != 0 {
		return
	}
	for _, status := range []int{200, 201, 400, 401, 403, 404, 409, 422} {
		if met[status] == 0 {
			t.Errorf("no answer was %d: the requests are too much alike", status)
		}
	}
}

// draw sends the requests of one seed.
func (w *world) draw(t *testing.T, d *paper, seed uint64, met map[int]int) {
	t.Helper()
	orgID, _ := w.db.Org(t)
	people := []caller{{}, {token: "nonsense"}, w.someone()}
	r := &drawer{paper: d, rnd: rand.New(rand.NewPCG(seed, 1)), known: map[string][]string{"organizations": {orgID.String()}}}
	for _, role := range []string{"user", "user", "organizer", "organizer", "orgAdmin"} {
		people = append(people, w.member(orgID, role))
	}
	for _, p := range people {
		if p.id != uuid.Nil {
			r.known["users"] = append(r.known["users"], p.id.String())
		}
	}
	for _, o := range []testkit.EventOptions{{}, {MaxSeatsPerUser: 4, WaitlistPolicy: "fit"}, {Visibility: "members"}, {StartsIn: -time.Hour}} {
		r.known["events"] = append(r.known["events"], w.db.Event(t, orgID, 10, o).String())
	}
	for _, event := range r.known["events"][:2] {
		for _, who := range people[2:5] {
			r.known["bookings"] = append(r.known["bookings"], w.book(who, uuid.MustParse(event), 2).ID.String())
		}
	}
	_, err := w.db.System.Exec(t.Context(), `UPDATE events SET status = 'ongoing' WHERE starts_at < now()`) // as the sweep would
	must(t, err)
	var all [][2]string
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			switch weight := 1; {
			case method == "delete" && path == "/users/me": // and nobody would be left
			case strings.Contains(path, "book"), strings.Contains(path, "hold"):
				weight = 5
				fallthrough
			default:
				all = append(all, slices.Repeat([][2]string{{method, path}}, weight)...)
			}
		}
	}
	for n := range drawnRequests {
		chosen := oneOf(r, all...)
		method, path := chosen[0], chosen[1]
		o := d.Paths[path][method]
		r.spoil = oneOf(r, 0, 0, 0, 30, 150)
		who, q := oneOf(r, people...), r.request(path, o)
		answer := w.call(who, strings.ToUpper(method), q.path, q.body, q.headers...)
		met[answer.status]++
		r.keep(path, answer)
		if wrong := d.wrongs(o, answer); wrong != "" {
			raw, _ := json.Marshal(q.body)
			t.Errorf("seed %d, request %d: %s %s %v %s\nis answered %d %s: %s", seed, n, method, q.path, q.headers, raw, answer.status, answer.body, wrong)
		}
	}
}

// TestAnswersThatTheDocumentDoesNotKnow is the control: forged answers are told.
func TestAnswersThatTheDocumentDoesNotKnow(t *testing.T) {
	t.Parallel()
	d := readDocument(t, bare(t, Deps{}))
	o := d.Paths["/events/{id}/holds"]["put"]
	right := `{"granted":[1],"conflicts":[],"expires_at":"2026-11-22T10:00:00Z"}`
	for what, r := range map[string]reply{
		"":                         {status: 200, body: right},
		"another status":           {status: 201, body: right},
		"a fault":                  {status: 500, body: `{"title":"t","status":500,"detail":"d","code":"internal"}`},
		"a field less":             {status: 200, body: `{"conflicts":[],"expires_at":null}`},
		"a field of another type":  {status: 200, body: strings.Replace(right, "[1]", `["1"]`, 1)},
		"a field that is not told": {status: 200, body: strings.Replace(right, "{", `{"holder":7,`, 1)},
		"no time":                  {status: 200, body: strings.Replace(right, "2026-11-22T10", "soon", 1)},
		"no JSON":                  {status: 200, body: right[1:]},
	} {
		r.header = map[string][]string{"Content-Type": {"application/json"}}
		if r.status >= 400 {
			r.header["Content-Type"][0] = "application/problem+json"
		}
		if wrong := d.wrongs(o, r); (wrong == "") != (what == "") {
			t.Errorf("%s: %q", what, wrong)
		}
	}
}
