package notify

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Limits of a page of the bell.
const (
	DefaultPage = 20
	MaxPage     = 100
	// MaxUnread is where counting what is unread ends; it means "that many or
	// more".
	MaxUnread = 1000
)

// Item is a message in the application, as its person reads it.
type Item struct {
	ID        uuid.UUID
	Type      string
	Title     string
	Message   string
	Link      string // a path of the client
	EventID   uuid.UUID
	BookingID uuid.UUID
	OrgID     uuid.UUID
	CreatedAt time.Time
	ReadAt    time.Time // zero: unread
}

// Page is a part of a person's messages, newest first.
type Page struct {
	Items       []Item
	NextCursor  string // empty: there are no more
	UnreadCount int    // of all, not of this page
}

// BellStore keeps people's messages. Every method touches this person's only.
type BellStore interface {
	// Bell gives messages older than before, or the newest where before is
	// uuid.Nil, and counts what is unread, at most up to MaxUnread.
	Bell(ctx context.Context, userID uuid.UUID, unreadOnly bool, before uuid.UUID, limit int) (items []Item, unread int, err error)
	// MarkRead answers fault.ErrNotFound where the person has no such message.
	MarkRead(ctx context.Context, userID, id uuid.UUID, now time.Time) error
	MarkAllRead(ctx context.Context, userID uuid.UUID, now time.Time) error
}

// Store keeps what people are told and what they want to be told.
type Store interface {
	BellStore
	PreferenceStore
}

// Service is what a person does with their messages.
type Service struct {
	store Store
	now   func() time.Time
}

// NewService makes the service.
func NewService(store Store, now func() time.Time) *Service {
	return &Service{store: store, now: now}
}

// List gives a page of a person's messages. A limit of 0 means DefaultPage.
func (s *Service) List(ctx context.Context, userID uuid.UUID, unreadOnly bool, cursor string, limit int) (Page, error) {
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 1 || limit > MaxPage {
		return Page{}, fault.InvalidFields(fault.Field{Name: "limit", Message: "must be between 1 and 100"})
	}
	before, err := decodeCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	// One more than asked for tells whether there are more.
	items, unread, err := s.store.Bell(ctx, userID, unreadOnly, before, limit+1)
	if err != nil {
		return Page{}, err
	}
	page := Page{Items: items, UnreadCount: unread}
	if len(items) > limit {
		page.Items = items[:limit]
		page.NextCursor = encodeCursor(items[limit-1].ID)
	}
	return page, nil
}

// MarkRead marks one message read; again changes nothing. Another person's
// message is not found.
func (s *Service) MarkRead(ctx context.Context, userID, id uuid.UUID) error {
	return s.store.MarkRead(ctx, userID, id, s.now())
}

// MarkAllRead marks everything read that the person has.
func (s *Service) MarkAllRead(ctx context.Context, userID uuid.UUID) error {
	return s.store.MarkAllRead(ctx, userID, s.now())
}

func encodeCursor(id uuid.UUID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func decodeCursor(cursor string) (uuid.UUID, error) {
	if cursor == "" {
		return uuid.Nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		var id uuid.UUID
		if id, err = uuid.FromBytes(raw); err == nil && id != uuid.Nil {
			return id, nil
		}
	}
	return uuid.Nil, fault.InvalidFields(fault.Field{Name: "cursor", Message: "is not a cursor of this list"})
}
