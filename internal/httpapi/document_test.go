package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"happening/internal/access"
)

var update = flag.Bool("update", false, "write goldens and docs/openapi.json anew")

// golden compares with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; run: go test ./internal/httpapi -update", path)
	}
}

// bare is a server that leads nowhere, for what needs no rooms.
func bare(t testing.TB, d Deps) *Server {
	t.Helper()
	if d.PublicURL == "" {
		d.PublicURL = "http://localhost:3000"
	}
	if d.Version == "" {
		d.Version = "1"
	}
	s, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentIsUpToDate(t *testing.T) {
	doc, err := bare(t, Deps{}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/openapi.json", doc)
}

// Every link of the page leads somewhere on it.
func TestDocsPageLinks(t *testing.T) {
	page := serve(bare(t, Deps{Auth: person{}}), "GET", "/docs", "").Body.String()
	for _, part := range strings.Split(page, `href="#`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		if !strings.Contains(page, `id="`+id+`"`) {
			t.Errorf("#%s is not on the page", id)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page loads something from elsewhere")
	}
}

// A path that is not reviewed together with who may take it must not pass.
func TestRoutesAndTheirActions(t *testing.T) {
	var lines []string
	for _, rt := range bare(t, Deps{}).routes {
		if !access.Known(rt.action) {
			t.Errorf("%s %s names the action %q, which the access table doesn't have", rt.method, rt.path, rt.action)
		}
		if whoMay[rt.action] == "" {
			t.Errorf("the docs page doesn't say who may do %s", rt.action)
		}
		lines = append(lines, rt.method+" "+rt.path+" "+string(rt.action))
	}
	slices.Sort(lines)
	golden(t, "testdata/routes.golden", []byte(strings.Join(lines, "\n")+"\n"))
}

// Every operation of the document stands in the table and the other way round,
// and each refers only to types that are there.
func TestDocumentHoldsTheTable(t *testing.T) {
	s := bare(t, Deps{})
	raw, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Action access.Action `json:"x-action"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi = %q, want 3.1", doc.OpenAPI)
	}
	count := 0
	for _, operations := range doc.Paths {
		count += len(operations)
	}
	if count != len(s.routes) {
		t.Errorf("the document has %d operations, the table %d", count, len(s.routes))
	}
	for _, rt := range s.routes {
		op, ok := doc.Paths[rt.path][strings.ToLower(rt.method)]
		if !ok || op.Action != rt.action {
			t.Errorf("%s %s is missing in the document or names %q", rt.method, rt.path, op.Action)
		}
	}
	for _, part := range strings.Split(string(raw), `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if _, ok := doc.Components.Schemas[name]; !ok {
			t.Errorf("the type %s is referred to and missing", name)
		}
	}
}
