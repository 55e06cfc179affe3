package user_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/user"
)

// shelf is a store with so many rows of each part.
type shelf struct {
	user.Store
	rows  map[user.ExportPart]int
	fails user.ExportPart
}

func (s *shelf) ExportRows(_ context.Context, id uuid.UUID, part user.ExportPart, after uuid.UUID, limit int) ([]user.ExportRow, error) {
	if part == s.fails {
		return nil, errors.New("the store is away")
	}
	var rows []user.ExportRow
	for i := int(binary.BigEndian.Uint64(after[8:])) + 1; i <= s.rows[part] && len(rows) < limit; i++ {
		var key uuid.UUID
		binary.BigEndian.PutUint64(key[8:], uint64(i))
		rows = append(rows, user.ExportRow{Key: key, JSON: fmt.Appendf(nil, `{"of":%q,"n":%d}`, id, i)})
	}
	return rows, nil
}

// unpacked reads an archive whole.
func unpacked(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
	}
	return files
}

// Files are as long as what there is, whatever a page is, and the README names
// each of them.
func TestAnExportIsWhole(t *testing.T) {
	me := access.Principal{UserID: uuid.New()}
	store := &shelf{rows: map[user.ExportPart]int{
		user.ExportAccount: 1, user.ExportBookings: 1_001, user.ExportNotifications: 400, user.ExportSessions: 1,
	}}
	var out bytes.Buffer
	held := user.ExportExtra{Name: "holds", About: "what is held", Read: func(context.Context) (any, error) { return []int{7}, nil }}
	if err := user.NewService(store, time.Now).Export(t.Context(), me, &out, held); err != nil {
		t.Fatal(err)
	}
	files := unpacked(t, out.Bytes())
	for name := range files {
		if name != "README.txt" && !strings.Contains(files["README.txt"], name+": ") {
			t.Errorf("the README doesn't tell of %s", name)
		}
	}
	for name, want := range map[string]int{
		"bookings.json": 1_001, "notifications.json": 400, "sessions.json": 1, "organizations.json": 0, "audit.json": 0, "holds.json": 1,
	} {
		var rows []any
		if err := json.Unmarshal([]byte(files[name]), &rows); err != nil || len(rows) != want || rows == nil {
			t.Errorf("%s has %d rows, want %d, %v", name, len(rows), want, err)
		}
	}
	var account struct{ Of uuid.UUID }
	if err := json.Unmarshal([]byte(files["account.json"]), &account); err != nil || account.Of != me.UserID {
		t.Errorf("account: %s, %v", files["account.json"], err)
	}
	if !strings.HasPrefix(files["sessions.json"], "[\n  {\n    \"of\"") || !strings.HasSuffix(files["sessions.json"], "}\n]\n") {
		t.Errorf("not to be read by people: %s", files["sessions.json"])
	}
}

// gate takes nothing before it is opened.
type gate struct {
	reached, open chan struct{}
	bytes         bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	select {
	case g.reached <- struct{}{}:
	default:
	}
	<-g.open
	return g.bytes.Write(b)
}

func TestOneExportAtATime(t *testing.T) {
	me, other := access.Principal{UserID: uuid.New()}, access.Principal{UserID: uuid.New()}
	s := user.NewService(&shelf{rows: map[user.ExportPart]int{user.ExportAccount: 1}}, time.Now)
	g := &gate{reached: make(chan struct{}, 1), open: make(chan struct{})}
	done := make(chan error)
	go func() { done <- s.Export(t.Context(), me, g) }()
	<-g.reached
	var f *fault.Error
	if err := s.Export(t.Context(), me, io.Discard); !errors.As(err, &f) || f.Kind != fault.TooMany || f.RetryAfter <= 0 {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Export(t.Context(), other, io.Discard); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
	close(g.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Export(t.Context(), me, io.Discard); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

// What fails before anything is written leaves the answer to the caller, and
// what fails later is no archive that could be taken for a whole one.
func TestAnExportThatFails(t *testing.T) {
	me := access.Principal{UserID: uuid.New()}
	var out bytes.Buffer
	if err := user.NewService(&shelf{fails: user.ExportAccount}, time.Now).Export(t.Context(), me, &out); err == nil || out.Len() > 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if err := user.NewService(&shelf{}, time.Now).Export(t.Context(), me, &out); !errors.Is(err, fault.ErrUnauthenticated) || out.Len() > 0 {
		t.Errorf("of nobody: %d bytes, %v", out.Len(), err)
	}
	s := user.NewService(&shelf{rows: map[user.ExportPart]int{user.ExportAccount: 1}, fails: user.ExportAudit}, time.Now)
	if err := s.Export(t.Context(), me, &out); err == nil {
		t.Error("half an export is told as a whole one")
	}
	if _, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len())); err == nil {
		t.Error("half an export can be opened")
	}
	if err := s.Export(t.Context(), access.Principal{}, &out); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a visitor's: %v", err)
	}
}
