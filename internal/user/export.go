package user

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// exportPage is how many rows of an export are read, and so in memory, at a
// time. There may be any number of pages.
const exportPage = 200

// ErrExporting says that the person is being given an export already.
var ErrExporting = fault.New(fault.TooMany, "export_running",
	"Your data is being put together already. Wait until that is done.").After(10 * time.Second)

// ExportPart names one of the files of an export that come from the store.
type ExportPart string

// The parts.
const (
	ExportAccount         ExportPart = "account"
	ExportIdentities      ExportPart = "identities"
	ExportSignInAccount   ExportPart = "sign_in_account"
	ExportAccountLog      ExportPart = "account_log"
	ExportOrganizations   ExportPart = "organizations"
	ExportBookings        ExportPart = "bookings"
	ExportWaitlist        ExportPart = "waitlist"
	ExportNotifications   ExportPart = "notifications"
	ExportPreferences     ExportPart = "notification_preferences"
	ExportSessions        ExportPart = "sessions"
	ExportInvitesReceived ExportPart = "invites_received"
	ExportInvitesSent     ExportPart = "invites_sent"
	ExportAudit           ExportPart = "audit"
)

// exportParts are the files in the order in which they stand in the archive,
// with what each says.
var exportParts = []struct {
	part  ExportPart
	about string
}{
	{ExportAccount, "who you are here: your name, your address and whether it is verified, and since when you have been here"},
	{ExportIdentities, "the sign-in services by which you are known, and how each was connected with you"},
	{ExportSignInAccount, "your account at the sign-in service that is a part of Happening; empty: you sign in elsewhere, ask there"},
	{ExportAccountLog, "what was done to your account itself, such as connecting it with another sign-in service"},
	{ExportOrganizations, "the organizations that you belong to, with your role"},
	{ExportBookings, "your bookings with their seats, and for each what happened to it, when, and by whom"},
	{ExportWaitlist, "those of your bookings that wait or once waited, with the number that they were given"},
	{ExportNotifications, "the messages to you, with what became of the mail where there was one"},
	{ExportPreferences, "where you chose other than what is usual of which messages you get; empty: nowhere"},
	{ExportSessions, "the browsers in which you are signed in"},
	{ExportInvitesReceived, "invitations to your verified address, and those that you answered"},
	{ExportInvitesSent, "invitations that you made; the addresses belong to others and are left out"},
	{ExportAudit, "what the organizations' records hold of what you did, and of what was done to your membership; what concerns others is left out"},
}

// ExportRow is one thing of a part.
type ExportRow struct {
	Key  uuid.UUID // by which the next page begins
	JSON []byte
}

// ExportStore reads what there is about a person.
type ExportStore interface {
	// ExportRows gives the rows of a part after the given key, in the order of
	// their keys, the first ones after uuid.Nil. Nothing of it is a secret or
	// about anybody else.
	ExportRows(ctx context.Context, id uuid.UUID, part ExportPart, after uuid.UUID, limit int) ([]ExportRow, error)
}

// ExportExtra is a file of what no database knows.
type ExportExtra struct {
	Name, About string
	Read        func(ctx context.Context) (any, error)
}

// Export writes everything about the caller to out, as a zip archive of JSON
// files. It is written while it is read, page by page, so that its size is
// bounded by nothing here; before the first byte is written, it is known that
// the caller is there. One person gets one export at a time of each process.
func (s *Service) Export(ctx context.Context, p access.Principal, out io.Writer, extras ...ExportExtra) error {
	if !p.SignedIn() {
		return fault.ErrUnauthenticated
	}
	if _, busy := s.exporting.LoadOrStore(p.UserID, true); busy {
		return ErrExporting
	}
	defer s.exporting.Delete(p.UserID)
	account, err := s.store.ExportRows(ctx, p.UserID, ExportAccount, uuid.Nil, 1)
	if err != nil {
		return fmt.Errorf("user: export: %w", err)
	}
	if len(account) == 0 {
		return oneself(fault.ErrNotFound)
	}
	e := export{store: s.store, who: p.UserID, archive: zip.NewWriter(out), at: s.now()}
	if err := e.write(ctx, account[0], extras); err != nil {
		return fmt.Errorf("user: export: %w", err) // without its end, nobody takes it for whole
	}
	if err := e.archive.Close(); err != nil {
		return fmt.Errorf("user: export: %w", err)
	}
	return nil
}

// export is an archive that is being written.
type export struct {
	store   ExportStore
	who     uuid.UUID
	archive *zip.Writer
	at      time.Time
}

func (e *export) write(ctx context.Context, account ExportRow, extras []ExportExtra) error {
	if err := e.readme(extras); err != nil {
		return err
	}
	for _, p := range exportParts {
		if p.part == ExportAccount {
			if err := e.value(string(p.part), json.RawMessage(account.JSON)); err != nil {
				return err
			}
			continue
		}
		if err := e.list(ctx, p.part); err != nil {
			return fmt.Errorf("%s: %w", p.part, err)
		}
	}
	for _, x := range extras {
		v, err := x.Read(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", x.Name, err)
		}
		if err := e.value(x.Name, v); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) create(name string) (io.Writer, error) {
	return e.archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.at.UTC()})
}

// readme says what each file is.
func (e *export) readme(extras []ExportExtra) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Everything that Happening keeps about you, as of %s.\n\n", e.at.UTC().Format("2 January 2006, 15:04 UTC"))
	b.WriteString("Each file is JSON in UTF-8: the account one object, every other a list. Times are UTC.\n" +
		"Ids name things of Happening and stay the same; where the id of another person would stand, nothing does.\n\n")
	for _, p := range exportParts {
		fmt.Fprintf(&b, "%s.json: %s.\n", p.part, p.about)
	}
	for _, x := range extras {
		fmt.Fprintf(&b, "%s.json: %s.\n", x.Name, x.About)
	}
	b.WriteString("\nNot in it, as they are secrets or their traces: what your browsers are recognized by, and passwords,\n" +
		"which are kept as something that no password can be told from, or not here at all.\n")
	w, err := e.create("README.txt")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// value writes a file of one value.
func (e *export) value(name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	w, err := e.create(name + ".json")
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

// list writes a file of a part's rows, page by page.
func (e *export) list(ctx context.Context, part ExportPart) error {
	w, err := e.create(string(part) + ".json")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteByte('[')
	after, first := uuid.Nil, true
	for {
		rows, err := e.store.ExportRows(ctx, e.who, part, after, exportPage)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !first {
				b.WriteByte(',')
			}
			first = false
			b.WriteString("\n  ")
			if err := json.Indent(&b, r.JSON, "  ", "  "); err != nil {
				return err
			}
			after = r.Key
		}
		last := len(rows) < exportPage
		if last {
			if !first {
				b.WriteByte('\n')
			}
			b.WriteString("]\n")
		}
		if _, err := w.Write(b.Bytes()); err != nil || last {
			return err
		}
		b.Reset()
	}
}
