package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// TestConnectionsToAServerThatOnlyReadsAreDropped makes connections while the
// database only reads, as those to a demoted primary do, and then lets new ones
// write, as a new primary behind the same address does. Each pool meets the
// refusal once.
func TestConnectionsToAServerThatOnlyReadsAreDropped(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(*testing.T, *postgres.DB, *postgres.Ledger) error
	}{
		{"told by a request's write", func(t *testing.T, db *postgres.DB, _ *postgres.Ledger) error {
			_, err := db.App.Exec(t.Context(), "UPDATE users SET name = name")
			return err
		}},
		{"told by a job's write", func(t *testing.T, db *postgres.DB, _ *postgres.Ledger) error {
			_, err := db.System.Exec(t.Context(), "UPDATE events SET name = name")
			return err
		}},
		{"told by the ledger's", func(t *testing.T, _ *postgres.DB, l *postgres.Ledger) error {
			return l.Rework(t.Context(), []booking.Known{{EventID: uuid.New()}}, nil, uuid.Nil,
				func(booking.Fresh) (*booking.Batch, error) { return nil, nil })
		}},
		{"told by readiness", func(t *testing.T, db *postgres.DB, _ *postgres.Ledger) error {
			return db.Ping(t.Context())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := testkit.NewDB(t)
			readOnly := func(set string) {
				for _, role := range []string{postgres.AppRole, postgres.SystemRole} {
					db.AsOwner(t, "ALTER ROLE "+role+" IN DATABASE "+db.Name+set)
				}
			}
			readOnly(" SET default_transaction_read_only = on")
			pools, err := postgres.Open(t.Context(), db.ConnString)
			if err != nil {
				t.Fatal(err)
			}
			defer pools.Close()
			ledger, err := postgres.NewLedger(t.Context(), db.ConnString)
			if err != nil {
				t.Fatal(err)
			}
			defer ledger.Close()
			if _, err := pools.Empty(t.Context()); err != nil { // reading goes on
				t.Fatal(err)
			}
			if _, err := pools.App.Exec(t.Context(), "SELECT 1"); err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Prove(t.Context(), nil, noKey); err != nil {
				t.Fatal(err)
			}
			readOnly(" RESET default_transaction_read_only")
			if err := tt.write(t, pools, ledger); !postgres.Away(err) {
				t.Fatalf("a connection that only reads wrote, or it counts as a defect: %v", err)
			}
			if err := tt.write(t, pools, ledger); err != nil {
				t.Errorf("the connection was kept: %v", err)
			}
		})
	}
}

// TestReadinessIsRefusedByAServerThatTakesNoWrites asks a server that goes on
// reading only.
func TestReadinessIsRefusedByAServerThatTakesNoWrites(t *testing.T) {
	db := testkit.NewDB(t)
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.AsOwner(t, "ALTER ROLE "+postgres.AppRole+" IN DATABASE "+db.Name+" SET default_transaction_read_only = on")
	db.App.Reset() // the server was replaced by one that is configured so
	for range 2 {
		if err := db.Ping(t.Context()); !postgres.Away(err) || !strings.Contains(err.Error(), "the server only reads: default_transaction_read_only is on") {
			t.Errorf("%v", err)
		}
	}
}

// TestPingIsToldInOneLine asks for a login that is refused over each of the
// ways that the driver tries, a line for each.
func TestPingIsToldInOneLine(t *testing.T) {
	db := testkit.NewDB(t)
	pools, err := postgres.Open(t.Context(), func(string) string {
		return strings.Replace(db.ConnString("nobody_of_that_name"), "host=", "host=/no/such/socket,", 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	if _, err := pools.App.Exec(t.Context(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "\n") {
		t.Errorf("the driver tells this in one line by itself, which shows nothing: %v", err)
	}
	if err := pools.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "\n") || !postgres.Away(err) {
		t.Errorf("%v", err)
	}
}
