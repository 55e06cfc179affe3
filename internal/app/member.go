package app

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// releasePatience is how long a change of a role waits for holds to be given
// back. What is left ends by itself, as every hold does.
const releasePatience = 3 * time.Second

// roleChanged lets the person's open screens ask anew, and lets go of the seats
// that they hold where a role let them in. Whether the caller waits for it makes
// no difference to it.
func (a *App) roleChanged(ctx context.Context, userID uuid.UUID) {
	a.feed.RoleChanged(userID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
	defer cancel()
	if err := a.Bookings.ReleaseHidden(ctx, userID); err != nil {
		a.Log.Warn("app: holds of somebody whose role was changed were not looked at", "user", userID, "error", err)
	}
}
