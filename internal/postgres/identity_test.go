package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/fault"
)

var errBadText = &pgconn.PgError{Code: "22021", Message: "invalid byte sequence"}

// Those who come while a question is under way are asked for together; one who
// can't be asked for costs nobody else the answer.
func TestIdentitiesAreAskedForTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people = 1000
		idOf := func(subject string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(subject)) }
		questions := 0
		i := &identities{together[identity, uuid.UUID]{ask: func(_ context.Context, all []*wanted[identity, uuid.UUID]) error {
			questions++
			time.Sleep(time.Millisecond)
			for _, w := range all {
				switch w.of.subject {
				case "bad":
					return errBadText
				case "nobody":
				default:
					w.answer = idOf(w.of.subject)
				}
			}
			return nil
		}}}
		var done sync.WaitGroup
		ask := func(subject string) {
			done.Go(func() {
				if id, err := i.person(t.Context(), "issuer", subject); err != nil || id != idOf(subject) {
					t.Errorf("%s: %s, %v", subject, id, err)
				}
			})
		}
		ask("first")
		synctest.Wait()
		for n := range people {
			ask(fmt.Sprint(n))
		}
		done.Go(func() {
			if _, err := i.person(t.Context(), "issuer", "nobody"); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("nobody: %v", err)
			}
		})
		synctest.Wait()
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := i.person(gone, "issuer", "gone"); !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		done.Wait()
		// The first alone, and then all the others.
		if most := 2 + people/togetherMost + 1; questions > most {
			t.Errorf("%d questions for %d people, want at most %d", questions, people, most)
		}
		questions = 0
		ask("before")
		synctest.Wait()
		ask("one")
		ask("two")
		done.Go(func() {
			if _, err := i.person(t.Context(), "issuer", "bad"); !errors.Is(err, errBadText) {
				t.Errorf("bad: %v", err)
			}
		})
		done.Wait()
		synctest.Wait()
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.asking || len(i.waiting) > 0 {
			t.Error("it goes on asking while nobody waits")
		}
	})
}
