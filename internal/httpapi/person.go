package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"happening/internal/notify"
)

// Me is who you are.
type Me struct {
	ID            uuid.UUID      `json:"id" format:"uuid"`
	Name          string         `json:"name"`
	Email         string         `json:"email"`
	EmailVerified bool           `json:"email_verified"`
	Organizations []MyMembership `json:"organizations"`
}

// MyMembership is your place in one organization.
type MyMembership struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
	Role string    `json:"role" enum:"user,organizer,orgAdmin"`
}

func (s *Server) getMe(ctx context.Context, _ *struct{}) (*answer[Me], error) {
	person, memberships, err := s.deps.People.Me(ctx, principal(ctx))
	if err != nil {
		return nil, err
	}
	me := Me{ID: person.ID, Name: person.Name, Email: person.Email, EmailVerified: person.EmailVerified, Organizations: []MyMembership{}}
	for _, m := range memberships {
		me.Organizations = append(me.Organizations, MyMembership{ID: m.OrgID, Name: m.OrgName, Role: string(m.Role)})
	}
	return answered(me), nil
}

// Notification is a message to you.
type Notification struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	Type      string     `json:"type" example:"booking_confirmed"`
	Title     string     `json:"title"`
	Message   string     `json:"message"`
	Link      *string    `json:"link" doc:"A path of the client."`
	EventID   *uuid.UUID `json:"event_id" format:"uuid"`
	BookingID *uuid.UUID `json:"booking_id" format:"uuid"`
	OrgID     *uuid.UUID `json:"org_id" format:"uuid"`
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
