package httpapi

import (
	"context"
)

const eraseMeDoc = "Confirm with your own address. Your name, address, sign-ins, memberships and messages are removed, and your upcoming bookings cancelled. " +
	"It can't be undone. Not while you alone run an organization: `last_org_admin` lists them as `organizations`."

// MeErase confirms that you mean yourself.
type MeErase struct {
	Email string `json:"email" doc:"Your own address, as it stands in your account." maxLength:"400"`
}

// eraseMe also takes the cookie back whose session has just ended.
func (s *Server) eraseMe(ctx context.Context, in *struct{ Body MeErase }) (*done, error) {
	who := principal(ctx)
	if err := s.deps.Erasures.Erase(ctx, who, in.Body.Email); err != nil {
		return nil, err
	}
	if who.SessionID != "" {
		s.deps.Auth.DropSessionCookie(callFrom(ctx))
	}
	return nil, nil
}
