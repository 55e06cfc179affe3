package app

import (
	"context"

	"github.com/google/uuid"

	"happening/internal/postgres"
	"happening/internal/user"
)

// personErased is told to the other processes with the id of a person.
const personErased = "person-erased"

// newErasures makes the use case that erases people.
func (a *App) newErasures() *user.Erasures {
	return user.NewErasures(postgres.NewErasures(a.db), a.Bookings, a.forgetPerson, a.clock.Now, a.Log)
}

// forgetPerson lets all processes forget somebody who is erased, and cuts what
// they have open. In this one it is done when it returns.
func (a *App) forgetPerson(ctx context.Context, userID uuid.UUID) {
	a.people.Forget(userID)
	if err := a.auth.EndUser(ctx, userID); err != nil {
		// The erasure itself has removed the sessions.
		a.Log.Warn("app: the sessions of somebody who was erased could not be looked for", "user", userID, "error", err)
	}
	a.node.Tell(personErased, userID[:])
	a.node.DisconnectUser(userID)
}

// personForgotten hears that another process has erased somebody. Forgotten
// first: who comes back is not let in from memory.
func (a *App) personForgotten(data []byte) {
	id, err := uuid.FromBytes(data)
	if err != nil {
		return
	}
	a.people.Forget(id)
	a.auth.ForgetUser(id)
	a.node.DisconnectUser(id)
}
