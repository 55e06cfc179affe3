package notify

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// preferable are the types of messages that a person may have a say about, in
// the order in which they are shown. The provider's own mails are not among
// them: somebody just asked for each of those.
var preferable = []string{
	TypeBookingConfirmed, TypeBookingWaitlisted, TypeBookingChanged, TypeBookingCancelled, TypeWaitlistPromoted,
	TypeEventUpdated, TypeEventCancelled, TypeOrgInvited,
}

// MailIsChosen says whether people decide if they get mails of this type. An
// invitation's mail isn't: it is how its link reaches them.
func MailIsChosen(kind string) bool {
	return kind != TypeOrgInvited && slices.Contains(preferable, kind)
}

// Preference is over which channels a person gets the messages of one type.
type Preference struct {
	Type       string
	App, Email bool
}

// PreferenceChange says over which channels a person wants messages of one
// type; nil leaves a channel as it is.
type PreferenceChange struct {
	Type       string
	App, Email *bool
}

// Choice is a person's wish about one type on one channel.
type Choice struct {
	Type    string
	Channel Channel
	Wanted  bool
}

// PreferenceStore keeps what people want to hear of. Every method touches this
// person's only. By default, everything is told.
type PreferenceStore interface {
	// Unwanted gives what the person doesn't want.
	Unwanted(ctx context.Context, userID uuid.UUID) ([]Choice, error)
	// Choose keeps choices, all or none. What is told after its answer follows
	// them; mails that were due before still go.
	Choose(ctx context.Context, userID uuid.UUID, choices []Choice) error
}

// Preferences gives all types with the person's wishes.
func (s *Service) Preferences(ctx context.Context, userID uuid.UUID) ([]Preference, error) {
	unwanted, err := s.store.Unwanted(ctx, userID)
	if err != nil {
		return nil, err
	}
	all := make([]Preference, len(preferable))
	for i, kind := range preferable {
		mail := !MailIsChosen(kind) || !slices.ContainsFunc(unwanted, func(c Choice) bool { return c.Type == kind && c.Channel == Email })
		all[i] = Preference{Type: kind, App: true, Email: mail}
	}
	return all, nil
}

// Choose keeps a person's wishes about the types that are named, and gives all
// of them. The bell can't be switched off: it is where everything stands that
// somebody was told.
func (s *Service) Choose(ctx context.Context, userID uuid.UUID, changes []PreferenceChange) ([]Preference, error) {
	var wrong []fault.Field
	var choices []Choice
	seen := map[string]bool{}
	for i, c := range changes {
		refuse := func(field, message string) {
			wrong = append(wrong, fault.Field{Name: fmt.Sprintf("types[%d].%s", i, field), Message: message})
		}
		switch {
		case !slices.Contains(preferable, c.Type):
			refuse("type", "is not a type of message")
			continue
		case seen[c.Type]:
			refuse("type", "is named twice")
			continue
		}
		seen[c.Type] = true
		if c.App != nil && !*c.App {
			refuse("app", "can't be switched off")
		}
		switch {
		case c.Email == nil:
		case MailIsChosen(c.Type):
			choices = append(choices, Choice{Type: c.Type, Channel: Email, Wanted: *c.Email})
		case !*c.Email:
			refuse("email", "can't be switched off, as the invitation's link comes with it")
		}
	}
	if len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	if len(choices) > 0 {
		if err := s.store.Choose(ctx, userID, choices); err != nil {
			return nil, err
		}
	}
	return s.Preferences(ctx, userID)
}
