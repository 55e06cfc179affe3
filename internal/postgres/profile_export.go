package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/idp"
	"happening/internal/user"
)

// exportQuery reads one part of what there is about a person: key and JSON of
// each thing of person $1 after key $2, at most $3.
type exportQuery struct {
	sql string
	// system says that rows about the person are meant which that person, as
	// who they are now, does not see; the query leaves out what of them is
	// about others.
	system bool
}

// hashed is a key for rows that have no id of their own, of which a person has
// few.
func hashed(columns string) string { return "md5(" + columns + ")::uuid" }

// by says who did something, without saying who others are.
const by = `CASE WHEN actor_id IS NULL THEN 'system' WHEN actor_id = $1 THEN 'you' ELSE 'somebody else' END`

var exportQueries = map[user.ExportPart]exportQuery{
	user.ExportAccount: {sql: `
		SELECT id, json_build_object(
		  'id', id, 'name', name, 'name_chosen_here', name_chosen, 'email', email, 'email_verified', email_verified,
		  'created_at', created_at, 'updated_at', updated_at)
		FROM users
		WHERE id = $1 AND id > $2 AND erased_at IS NULL
		ORDER BY id LIMIT $3`},
	user.ExportIdentities: {sql: `
		SELECT key, json_build_object('issuer', issuer, 'since', created_at, 'connected_by', linked_by)
		FROM (SELECT *, ` + hashed(`issuer || ' ' || subject`) + ` AS key FROM user_identities WHERE user_id = $1) i
		WHERE key > $2
		ORDER BY key LIMIT $3`},
	// Of the embedded provider's tables no request knows.
	user.ExportSignInAccount: {system: true, sql: `
		SELECT a.id, json_build_object(
		  'name', a.name, 'email', a.email, 'email_verified', a.email_verified, 'created_at', a.created_at, 'updated_at', a.updated_at)
		FROM user_identities i
		JOIN idp_accounts a ON a.id = CASE WHEN i.issuer = '` + idp.IdentityKey + `' THEN i.subject::uuid END
		WHERE i.user_id = $1 AND a.id > $2
		ORDER BY a.id LIMIT $3`},
	user.ExportAccountLog: {sql: `
		SELECT id, json_build_object('at', created_at, 'action', action, 'issuer', issuer, 'rule', rule)
		FROM user_audit
		WHERE user_id = $1 AND id > $2
		ORDER BY id LIMIT $3`},
	user.ExportOrganizations: {sql: `
		SELECT m.org_id, json_build_object('organization_id', m.org_id, 'name', o.name, 'role', m.role, 'since', m.created_at)
		FROM organization_users m
		JOIN organizations o ON o.id = m.org_id
		WHERE m.user_id = $1 AND m.org_id > $2
		ORDER BY m.org_id LIMIT $3`},
	user.ExportBookings: {sql: `
		SELECT b.id, json_build_object(
		  'id', b.id, 'status', b.status, 'reason', nullif(b.reason, ''), 'seats', b.seats,
		  'seat_numbers', CASE WHEN b.status = 'confirmed' THEN` + seatNumbers + ` ELSE '{}' END,
		  'waiting_number', b.waiting_number, 'created_at', b.created_at, 'updated_at', b.updated_at,
		  'booked_for_address', nullif(b.booked_for, ''),
		  'event', ` + exportedEvent + `,
		  'history', coalesce((
		    SELECT json_agg(json_build_object(
		      'at', created_at, 'action', action, 'by', ` + by + `,
		      'from', details -> 'from', 'to', details -> 'to', 'reason', details ->> 'reason') ORDER BY id)
		    FROM booking_history h WHERE h.booking_id = b.id AND h.user_id = $1), '[]'))
		FROM bookings b
		LEFT JOIN events e ON e.id = b.event_id
		LEFT JOIN organizations o ON o.id = b.org_id
		WHERE b.user_id = $1 AND b.id > $2
		ORDER BY b.id LIMIT $3`},
	user.ExportWaitlist: {sql: `
		SELECT b.id, json_build_object(
		  'booking_id', b.id, 'waiting_number', b.waiting_number, 'status', b.status, 'seats', b.seats,
		  'joined_at', (SELECT min(h.created_at) FROM booking_history h
		    WHERE h.booking_id = b.id AND h.user_id = $1 AND h.action = 'waitlisted'),
		  'event', ` + exportedEvent + `)
		FROM bookings b
		LEFT JOIN events e ON e.id = b.event_id
		LEFT JOIN organizations o ON o.id = b.org_id
		WHERE b.user_id = $1 AND b.id > $2 AND b.waiting_number IS NOT NULL
		ORDER BY b.id LIMIT $3`},
	// The mail is found by its fact, as only messages of the bell have an index
	// by person. A mail about a booking or an event never is without its
	// message there.
	user.ExportNotifications: {sql: `
		SELECT n.id, json_build_object(
		  'id', n.id, 'type', n.type, 'title', n.title, 'message', n.message, 'link', nullif(n.link, ''),
		  'event_id', n.event_id, 'booking_id', n.booking_id, 'organization_id', n.org_id,
		  'created_at', n.created_at, 'read_at', n.read_at,
		  'mail', (SELECT json_build_object('status', m.status, 'sent_at', m.sent_at)
		    FROM notifications m WHERE m.fact_id = n.fact_id AND m.user_id = $1 AND m.channel = 'email'))
		FROM notifications n
		WHERE n.user_id = $1 AND n.channel = 'app' AND n.id > $2
		ORDER BY n.id LIMIT $3`},
	user.ExportPreferences: {sql: `
		SELECT key, json_build_object('type', type, 'channel', channel, 'wanted', wanted)
		FROM (SELECT *, ` + hashed(`type || ' ' || channel`) + ` AS key FROM notification_preferences WHERE user_id = $1) p
		WHERE key > $2
		ORDER BY key LIMIT $3`},
	user.ExportSessions: {sql: `
		SELECT id, json_build_object(
		  'id', id, 'browser', user_agent, 'signed_in_at', created_at, 'last_seen_at', last_seen_at, 'ends_at', expires_at)
		FROM sessions
		WHERE user_id = $1 AND id > $2
		ORDER BY id LIMIT $3`},
	// One that was answered with an address which the person has no more is not
	// visible to them any longer.
	user.ExportInvitesReceived: {system: true, sql: `
		SELECT i.id, json_build_object(
		  'id', i.id, 'organization_id', i.org_id, 'organization', o.name, 'email', i.email, 'role', i.role, 'status', i.status,
		  'created_at', i.created_at, 'expires_at', i.expires_at, 'answered_at', i.answered_at)
		FROM (
		  SELECT j.* FROM users u
		  JOIN organization_invites j ON lower(j.email) = lower(u.email)
		  WHERE u.id = $1 AND u.email_verified
		  UNION
		  SELECT * FROM organization_invites WHERE answered_by = $1 AND status IN ('accepted', 'rejected')) i
		JOIN organizations o ON o.id = i.org_id
		WHERE i.id > $2
		ORDER BY i.id LIMIT $3`},
	// Whoever is no orgAdmin any more does not see what they sent as one.
	user.ExportInvitesSent: {system: true, sql: `
		SELECT i.id, json_build_object(
		  'id', i.id, 'organization_id', i.org_id, 'organization', o.name, 'role', i.role, 'status', i.status,
		  'created_at', i.created_at, 'expires_at', i.expires_at)
		FROM organization_invites i
		JOIN organizations o ON o.id = i.org_id
		WHERE i.invited_by = $1 AND i.id > $2
		ORDER BY i.id LIMIT $3`},
	// An organization's record is its administrators' to read; here are the
	// lines that name the person. What somebody changed in an organization is
	// its own matter, what was done to the person is theirs, so that only the
	// latter shows before and after, and no line names another person.
	user.ExportAudit: {system: true, sql: `
		SELECT a.id, json_build_object(
		  'at', a.created_at, 'action', a.action, 'organization_id', a.org_id, 'organization', o.name,
		  'by', ` + by + `, 'about_you', a.subject_id = $1,
		  'subject_id', CASE WHEN a.subject_id = $1 OR NOT EXISTS (SELECT FROM users u WHERE u.id = a.subject_id) THEN a.subject_id END,
		  'before', CASE WHEN a.subject_id = $1 THEN a.before END,
		  'after', CASE WHEN a.subject_id = $1 THEN a.after END)
		FROM (
		  (SELECT * FROM audit_log WHERE actor_id = $1 AND id > $2 ORDER BY id LIMIT $3)
		  UNION
		  (SELECT * FROM audit_log WHERE subject_id = $1 AND id > $2 ORDER BY id LIMIT $3)) a
		LEFT JOIN organizations o ON o.id = a.org_id
		ORDER BY a.id LIMIT $3`},
}

// exportedEvent is what an export says of the event of booking b.
const exportedEvent = `json_build_object(
		    'id', b.event_id, 'name', e.name, 'venue', e.venue, 'starts_at', e.starts_at, 'ends_at', e.ends_at,
		    'time_zone', e.time_zone, 'organization', o.name)`

// ExportRows implements user.ExportStore.
func (s *Users) ExportRows(ctx context.Context, id uuid.UUID, part user.ExportPart, after uuid.UUID, limit int) ([]user.ExportRow, error) {
	q, ok := exportQueries[part]
	if !ok {
		return nil, fmt.Errorf("postgres: export: there is no part %q", part)
	}
	scan := func(row pgx.CollectableRow) (r user.ExportRow, err error) {
		err = row.Scan(&r.Key, &r.JSON)
		return r, err
	}
	if !q.system {
		found, err := read(ctx, s.db, person(id), scan, q.sql, id, after, limit)
		if err != nil {
			return nil, fmt.Errorf("postgres: export: %w", err)
		}
		return found, nil
	}
	rows, err := s.db.System.Query(ctx, q.sql, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: export: %w", err)
	}
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("postgres: export: %w", err)
	}
	return found, nil
}
