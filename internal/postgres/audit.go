package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
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

// AuditStore reads the record of organizations; it is the audit room's Store.
type AuditStore struct{ db *DB }

var _ audit.Store = (*AuditStore)(nil)

// NewAuditStore reads the record in the database.
func NewAuditStore(db *DB) *AuditStore { return &AuditStore{db: db} }

// RoleIn tells the viewer's role in an organization that is there.
func (s *AuditStore) RoleIn(ctx context.Context, viewer, orgID uuid.UUID) (access.Role, error) {
	role, err := readOne(ctx, s.db, person(viewer), pgx.RowTo[access.Role], `
		SELECT coalesce(m.role, '')
		FROM organizations o
		LEFT JOIN organization_users m ON m.org_id = o.id AND m.user_id = $2
		WHERE o.id = $1`,
		orgID, viewer)
	if errors.Is(err, pgx.ErrNoRows) {
		return access.NoRole, fault.ErrNotFound
	}
	if err != nil {
		return access.NoRole, fmt.Errorf("postgres: role: %w", err)
	}
	return role, nil
}

// ListAudit reads one page of an organization's record. The organization is
// entered by a role that may do the action, so that nobody else finds a line.
func (s *AuditStore) ListAudit(ctx context.Context, viewer uuid.UUID, action access.Action, q audit.Query) ([]audit.Line, error) {
	where, args := auditConditions(q)
	lines, err := read(ctx, s.db, tenant(viewer, q.OrgID, action), scanAuditLine, `
		SELECT a.id, a.org_id, a.actor_id, a.action, a.subject_id, a.created_at, a.before, a.after,
		       coalesce(e.name, i.email, o.name, '')
		FROM audit_log a
		LEFT JOIN events e ON a.action LIKE 'event.%' AND e.id = a.subject_id AND e.org_id = a.org_id
		LEFT JOIN organization_invites i ON a.action LIKE 'invite.%' AND i.id = a.subject_id AND i.org_id = a.org_id
		LEFT JOIN organizations o ON a.action LIKE 'org.%' AND o.id = a.org_id
		WHERE `+where+`
		ORDER BY a.id DESC
		LIMIT `+strconv.Itoa(q.Limit),
		args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: list audit: %w", err)
	}
	if err := s.name(ctx, lines); err != nil {
		return nil, err
	}
	return lines, nil
}

// CountAudit counts at most q.Limit lines.
func (s *AuditStore) CountAudit(ctx context.Context, viewer uuid.UUID, action access.Action, q audit.Query) (int, error) {
	where, args := auditConditions(q)
	n, err := readOne(ctx, s.db, tenant(viewer, q.OrgID, action), pgx.RowTo[int], `
		SELECT count(*) FROM (SELECT FROM audit_log a WHERE `+where+` LIMIT `+strconv.Itoa(q.Limit)+`) found`,
		args...)
	if err != nil {
		return 0, fmt.Errorf("postgres: count audit: %w", err)
	}
	return n, nil
}

func scanAuditLine(row pgx.CollectableRow) (audit.Line, error) {
	var l audit.Line
	var actor *uuid.UUID
	err := row.Scan(&l.ID, &l.OrgID, &actor, &l.Action, &l.SubjectID, &l.At, &l.Before, &l.After, &l.SubjectLabel)
	if actor != nil {
		l.ActorID = *actor
	}
	l.At = l.At.UTC()
	return l, err
}

// auditConditions spells only the conditions that filter; $1 is the
// organization.
func auditConditions(q audit.Query) (where string, args []any) {
	args = []any{q.OrgID}
	conditions := []string{"a.org_id = $1"}
	add := func(given bool, condition string, value any) {
		if given {
			args = append(args, value)
			conditions = append(conditions, condition+" $"+strconv.Itoa(len(args)))
		}
	}
	add(q.Action != "", "a.action =", string(q.Action))
	add(q.ActorID != uuid.Nil, "a.actor_id =", q.ActorID)
	add(q.SubjectID != uuid.Nil, "a.subject_id =", q.SubjectID)
	add(!q.From.IsZero(), "a.created_at >=", q.From)
	add(!q.To.IsZero(), "a.created_at <", q.To)
	add(q.Before != uuid.Nil, "a.id <", q.Before)
	return strings.Join(conditions, " AND "), args
}

// name gives the people in the lines the names that they have now. It reads
// as the system, since who left the organization is not among the people that
// it shows, and still stands in its record. Only who the record names, to who
// may read it, is looked up.
func (s *AuditStore) name(ctx context.Context, lines []audit.Line) error {
	named := map[uuid.UUID]string{}
	for _, l := range lines {
		named[l.ActorID] = audit.DeletedAccount
		if l.Action.Kind() == audit.Member {
			named[l.SubjectID] = audit.DeletedAccount
		}
	}
	delete(named, uuid.Nil)
	if len(named) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(named))
	for id := range named {
		ids = append(ids, id)
	}
	rows, err := s.db.System.Query(ctx, `SELECT id, name FROM users WHERE id = ANY($1) AND erased_at IS NULL`, ids)
	if err != nil {
		return fmt.Errorf("postgres: names of the record: %w", err)
	}
	var id uuid.UUID
	var name string
	if _, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error { named[id] = name; return nil }); err != nil {
		return fmt.Errorf("postgres: names of the record: %w", err)
	}
	for i := range lines {
		l := &lines[i]
		l.ActorName = named[l.ActorID]
		if l.Action.Kind() == audit.Member {
			l.SubjectLabel = named[l.SubjectID]
		}
	}
	return nil
}
