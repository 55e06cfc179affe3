package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rooms in the order in which they stand: a room imports only rooms of
// earlier lines. Rooms of one line do not import each other, unless named as
// an exception below.
var lines = [][]string{
	{"fault"},
	{"access"},
	{"audit"},
	{"user"},
	{"org"},
	{"event"},
	{"booking"},
	{"notify", "realtime"},
	// The adapters: one technology each.
	{"postgres", "memory", "redis", "rabbitmq", "socket", "email", "mailbox", "signin", "idp", "pgserver", "httpapi"},
	{"app"},
	{"testkit"},
}

// exceptions are imports against the order, each with its reason.
var exceptions = map[string]string{
	"postgres → signin": "postgres implements the port that sign-in declares for its sessions",
	"postgres → idp":    "postgres implements the port that the provider declares for its accounts",
}

// domain rooms know no technology.
var domain = []string{"fault", "access", "audit", "user", "org", "event", "booking", "notify", "realtime"}

// technologies are what a domain room must not import.
var technologies = []string{
	"database/sql", "net/http", "github.com/jackc/", "github.com/danielgtaylor/", "github.com/centrifugal/",
	"github.com/zitadel/", "github.com/coreos/", "github.com/wneessen/", "github.com/redis/", "github.com/rabbitmq/",
}

func TestRoomsImportOnlyRoomsToTheirLeft(t *testing.T) {
	line := map[string]int{}
	for i, rooms := range lines {
		for _, r := range rooms {
			line[r] = i
		}
	}
	used := map[string]bool{}
	for room, imports := range importsOf(t) {
		at, known := line[room]
		if !known {
			t.Errorf("room %q stands in no line of the house: give it its place here and in ARCHITECTURE.md", room)
			continue
		}
		for _, imported := range imports {
			if slices.Contains(domain, room) {
				for _, tech := range technologies {
					if strings.HasPrefix(imported, tech) {
						t.Errorf("%s is a domain room and imports %s", room, imported)
					}
				}
			}
			other, ours := strings.CutPrefix(imported, "happening/internal/")
			if !ours {
				continue
			}
			other = strings.Split(other, "/")[0]
			edge := room + " → " + other
			if other == room {
				continue
			}
			if exceptions[edge] != "" {
				used[edge] = true
				continue
			}
			if line[other] >= at {
				t.Errorf("%s is against the order of the rooms", edge)
			}
		}
	}
	for edge := range exceptions {
		if !used[edge] {
			t.Errorf("the exception %q is not needed any more", edge)
		}
	}
}

// importsOf lists what each room's own code imports, its tests aside.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		room := strings.Split(filepath.ToSlash(file), "/")[0]
		if room == path.Base(file) || strings.HasSuffix(filepath.ToSlash(path.Dir(file)), "test") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			found[room] = append(found[room], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
