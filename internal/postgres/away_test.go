package postgres_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/postgres"
	"happening/internal/testkit"
)

// TestAwayIsWhoeverTakesNoBookings covers what an operator does in the middle
// of a sale: a login that is taken away, and a server that is made a standby.
// Callers must be told to come back, not of a defect.
func TestAwayIsWhoeverTakesNoBookings(t *testing.T) {
	db := testkit.NewDB(t)
	stranger := db.ConnString(postgres.AppRole) + " user=nobody_of_that_name"
	var refused *pgconn.PgError
	if _, err := pgx.Connect(t.Context(), stranger); !errors.As(err, &refused) || !postgres.Away(err) {
		t.Errorf("a login that the server does not let in counts as a defect: %v", err)
	}
	conn, err := pgx.Connect(t.Context(), db.ConnString(postgres.SystemRole))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "UPDATE events SET name = name"); !postgres.Away(err) {
		t.Errorf("a server that only reads counts as a defect: %v", err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT nothing_of_that_name"); err == nil || postgres.Away(err) {
		t.Errorf("a defect counts as a server that is away: %v", err)
	}
}
