package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/notify"
)

// Unwanted implements notify.PreferenceStore.
func (s *NotifyStore) Unwanted(ctx context.Context, userID uuid.UUID) ([]notify.Choice, error) {
	found, err := read(ctx, s.db, person(userID), func(row pgx.CollectableRow) (c notify.Choice, err error) {
		err = row.Scan(&c.Type, &c.Channel)
		return c, err
	}, `
		SELECT type, channel
		FROM notification_preferences
		WHERE user_id = $1 AND NOT wanted`, userID)
	if err != nil {
		return nil, fmt.Errorf("postgres: preferences: %w", err)
	}
	return found, nil
}

// Choose implements notify.PreferenceStore. Only what differs from the default
// has a row.
func (s *NotifyStore) Choose(ctx context.Context, userID uuid.UUID, choices []notify.Choice) error {
	var types, channels []string
	var wanted []bool
	for _, c := range choices {
		types, channels, wanted = append(types, c.Type), append(channels, string(c.Channel)), append(wanted, c.Wanted)
	}
	err := s.db.write(ctx, person(userID), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			DELETE FROM notification_preferences p
			USING unnest($2::text[], $3::text[], $4::bool[]) AS c (type, channel, wanted)
			WHERE p.user_id = $1 AND p.type = c.type AND p.channel = c.channel AND c.wanted`,
			userID, types, channels, wanted); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO notification_preferences (user_id, type, channel, wanted)
			SELECT $1, c.type, c.channel, false
			FROM unnest($2::text[], $3::text[], $4::bool[]) AS c (type, channel, wanted)
			WHERE NOT c.wanted
			ORDER BY c.type, c.channel
			ON CONFLICT (user_id, type, channel) DO UPDATE SET wanted = false`,
			userID, types, channels, wanted)
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: choose preferences: %w", err)
	}
	return nil
}
