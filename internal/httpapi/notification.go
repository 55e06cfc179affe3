package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/notify"
)

// notificationRoutes are those of the messages to you.
func (s *Server) notificationRoutes() []route {
	return []route{
		on(get, "/notifications", access.SignedIn, about{id: "list-notifications", tag: tagMe, summary: "List your notifications", more: "The newest first."}, s.listNotifications),
		on(post, "/notifications/{id}/read", access.SignedIn, about{id: "read-notification", tag: tagMe, summary: "Mark a notification read", status: none}, s.readNotification),
		on(post, "/notifications/read-all", access.SignedIn, about{id: "read-all-notifications", tag: tagMe, summary: "Mark all notifications read", status: none}, s.readAllNotifications),
		on(get, "/notifications/preferences", access.SignedIn, about{id: "get-preferences", tag: tagMe, summary: "Read which messages you get",
			more: "By type and channel. `app` is the bell, where everything stands."}, s.getPreferences),
		on(put, "/notifications/preferences", access.SignedIn, about{id: "put-preferences", tag: tagMe, summary: "Choose which messages you get",
			more: "The types and channels that you name change, the others stay. The bell can't be switched off, nor the mail with an invitation's link."}, s.putPreferences),
	}
}

// Notification is a message to you.
type Notification struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	Type      string     `json:"type" example:"booking_confirmed"`
	Title     string     `json:"title"`
	Message   string     `json:"message"`
	Link      *string    `json:"link" doc:"A path of the client."`
	EventID   *uuid.UUID `json:"event_id" format:"uuid" nullable:"true"`
	BookingID *uuid.UUID `json:"booking_id" format:"uuid" nullable:"true"`
	OrgID     *uuid.UUID `json:"org_id" format:"uuid" nullable:"true"`
	CreatedAt time.Time  `json:"created_at"`
	ReadAt    *time.Time `json:"read_at" doc:"null: unread."`
}

// NotificationList is a page of your notifications.
type NotificationList struct {
	List[Notification]
	UnreadCount int `json:"unread_count" doc:"Of all, not of this page; 1000 means that many or more."`
}

func (s *Server) listNotifications(ctx context.Context, in *struct {
	Page
	Unread bool `query:"unread" doc:"true: only those that you have not read."`
}) (*answer[NotificationList], error) {
	found, err := s.deps.Notifications.List(ctx, principal(ctx).UserID, in.Unread, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	page := listed(found.Items, found.NextCursor, showNotification)
	return answered(NotificationList{List: page.Body, UnreadCount: found.UnreadCount}), nil
}

func showNotification(i notify.Item) Notification {
	return Notification{
		ID: i.ID, Type: i.Type, Title: i.Title, Message: i.Message, Link: orNull(i.Link),
		EventID: orNull(i.EventID), BookingID: orNull(i.BookingID), OrgID: orNull(i.OrgID),
		CreatedAt: i.CreatedAt.UTC(), ReadAt: orNullTime(i.ReadAt),
	}
}

func (s *Server) readNotification(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}) (*done, error) {
	return nil, s.deps.Notifications.MarkRead(ctx, principal(ctx).UserID, in.ID)
}

func (s *Server) readAllNotifications(ctx context.Context, _ *struct{}) (*done, error) {
	return nil, s.deps.Notifications.MarkAllRead(ctx, principal(ctx).UserID)
}

// Preferences are which messages you get over which channels.
type Preferences struct {
	Types []Preference `json:"types"`
}

// Preference is over which channels you get the messages of one type.
type Preference struct {
	Type  string `json:"type" example:"booking_confirmed"`
	App   bool   `json:"app" doc:"In the bell; always true."`
	Email bool   `json:"email" doc:"By e-mail; always true of org_invited."`
}

// PreferencesPut names what is to change.
type PreferencesPut struct {
	Types []PreferenceChange `json:"types" maxItems:"50"`
}

// PreferenceChange is what is to change of one type; a channel that is left
// out stays as it is.
type PreferenceChange struct {
	Type  string `json:"type" maxLength:"50"`
	App   *bool  `json:"app,omitempty"`
	Email *bool  `json:"email,omitempty"`
}

func showPreferences(all []notify.Preference) *answer[Preferences] {
	shown := Preferences{Types: []Preference{}}
	for _, p := range all {
		shown.Types = append(shown.Types, Preference{Type: p.Type, App: p.App, Email: p.Email})
	}
	return answered(shown)
}

func (s *Server) getPreferences(ctx context.Context, _ *struct{}) (*answer[Preferences], error) {
	all, err := s.deps.Notifications.Preferences(ctx, principal(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return showPreferences(all), nil
}

func (s *Server) putPreferences(ctx context.Context, in *struct{ Body PreferencesPut }) (*answer[Preferences], error) {
	changes := make([]notify.PreferenceChange, len(in.Body.Types))
	for i, c := range in.Body.Types {
		changes[i] = notify.PreferenceChange{Type: c.Type, App: c.App, Email: c.Email}
	}
	all, err := s.deps.Notifications.Choose(ctx, principal(ctx).UserID, changes)
	if err != nil {
		return nil, err
	}
	return showPreferences(all), nil
}
