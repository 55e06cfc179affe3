package postgres_test

import (
	"context"
	"testing"

	"happening/internal/testkit"
)

func TestHistoryAndAuditCanOnlyBeAppendedTo(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	for _, sql := range []string{
		"UPDATE booking_history SET action = 'x'", "DELETE FROM booking_history",
		"UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log",
		"TRUNCATE booking_history", "DROP TABLE audit_log",
	} {
		if _, err := db.System.Exec(ctx, sql); err == nil {
			t.Errorf("the system role may run %q", sql)
		}
		if _, err := db.App.Exec(ctx, sql); err == nil {
			t.Errorf("the request role may run %q", sql)
		}
	}
}
