package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"

	"happening/internal/event"
	"happening/internal/notify"
)

// rememberedLayouts bounds the layouts that are kept for messages: a flood of
// them is about few events.
const rememberedLayouts = 64

// layoutOf names one layout of an event, which never changes.
type layoutOf struct {
	event    uuid.UUID
	revision int64
}

// layouts reads how the seats of events lie, for the names of seats.
type layouts struct {
	kept *lru.Cache[layoutOf, *event.Layout]
}

func newLayouts() layouts {
	kept, err := lru.New[layoutOf, *event.Layout](rememberedLayouts)
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	return layouts{kept: kept}
}

// fill adds their layouts to cards; revisions says which. One that was changed
// meanwhile is read as it is now and not kept.
func (l *layouts) fill(ctx context.Context, tx pgx.Tx, cards map[uuid.UUID]notify.EventCard, revisions map[uuid.UUID]int64) error {
	var missing []uuid.UUID
	for id, revision := range revisions {
		if revision == 0 {
			continue
		}
		if layout, ok := l.kept.Get(layoutOf{id, revision}); ok {
			card := cards[id]
			card.Layout = layout
			cards[id] = card
		} else {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `
		SELECT l.event_id, e.layout_revision, l.sections
		FROM event_layouts l JOIN events e ON e.id = l.event_id
		WHERE l.event_id = ANY ($1)`, missing)
	if err != nil {
		return fmt.Errorf("postgres: layouts: %w", err)
	}
	var id uuid.UUID
	var revision int64
	var sections []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &revision, &sections}, func() error {
		layout, err := event.ParseLayout(sections)
		if err != nil {
			return err
		}
		card := cards[id]
		card.Layout = layout
		cards[id] = card
		l.kept.Add(layoutOf{id, revision}, layout)
		return nil
	})
	if err != nil {
		return fmt.Errorf("postgres: layouts: %w", err)
	}
	return nil
}
