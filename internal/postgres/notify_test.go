package postgres_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"happening/internal/testkit"
)

func TestRequestsCannotReadTheMailbox(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	if _, err := db.App.Exec(context.Background(), "SELECT * FROM mailbox_mails"); err == nil {
		t.Error("the role of requests reads everybody's mails, links with secrets included")
	}
}

func TestAPendingMessageIsDueSometime(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	_, err := db.System.Exec(context.Background(), `
		INSERT INTO notifications (id, fact_id, user_id, channel, type, title, message)
		VALUES ($1, $1, $1, 'email', 'booking_confirmed', '', '')`, uuid.New())
	if err == nil {
		t.Error("a pending message that is never due can be written")
	}
}

// TestFactsAreFoundAlongTheirIndex holds the plan that makes a claim cost the
// same whatever the backlog: no sort of an organization's pending facts.
func TestFactsAreFoundAlongTheirIndex(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	ctx := context.Background()
	_, err := db.System.Exec(ctx, `
		INSERT INTO outbox (id, org_id, kind, payload, created_at)
		SELECT gen_random_uuid(), CASE WHEN n % 10 = 0 THEN gen_random_uuid() ELSE $1 END, 'event.cancelled', '{}', now()
		FROM generate_series(1, 20000) AS n`, uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	// Otherwise the plan depends on whether the server has counted by itself.
	db.AsOwner(t, "ANALYZE outbox")
	rows, err := db.System.Query(ctx, `
		EXPLAIN SELECT f.id FROM unnest($1::uuid[]) AS t (org_id)
		CROSS JOIN LATERAL (
		  SELECT id FROM outbox WHERE relayed_at IS NULL AND org_id = t.org_id AND (next_try_at IS NULL OR next_try_at <= now())
		  ORDER BY id LIMIT 450 FOR UPDATE SKIP LOCKED
		) AS f`, []uuid.UUID{uuid.New(), uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if got := plan.String(); !strings.Contains(got, "Index Scan using outbox_pending") || strings.Contains(got, "Sort") {
		t.Errorf("the plan:\n%s", got)
	}
}
