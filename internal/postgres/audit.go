package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/audit"
)

// insertAudit appends one line to the organization's record in the
// transaction of the change that it tells of.
func insertAudit(ctx context.Context, tx pgx.Tx, e audit.Entry) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("postgres: audit: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO audit_log (id, org_id, actor_id, action, subject_id, before, after, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		id, e.OrgID, nilIfZero(e.ActorID), string(e.Action), e.SubjectID, e.Before, e.After, e.At)
	if err != nil {
		return fmt.Errorf("postgres: audit %s: %w", e.Action, err)
	}
	return nil
}

// nilIfZero turns the zero id, which means nobody, into NULL.
func nilIfZero(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
