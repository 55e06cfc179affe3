package notify

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// ResendStep bounds the rows that one transaction of Resend puts back.
const ResendStep = 1000

// ResendWhich says what is to be sent again.
type ResendWhich struct {
	OrgID uuid.UUID // uuid.Nil: of every organization, and of none
	Since time.Time // made at this time or later; the zero time: all that is kept
}

// Resent is how much was put back.
type Resent struct{ Facts, Mails int }

// ResendStore puts back what was given up.
type ResendStore interface {
	// ResendFacts makes put-aside facts pending, with no try counted, at most
	// limit, of those after the given one, and says which one it came to;
	// uuid.Nil: there are no more.
	ResendFacts(ctx context.Context, which ResendWhich, after uuid.UUID, limit int) (put int, reached uuid.UUID, err error)
	// ResendMails does the same to failed mails; they are due now.
	ResendMails(ctx context.Context, now time.Time, which ResendWhich, after uuid.UUID, limit int) (put int, reached uuid.UUID, err error)
}

// Resend puts failed facts and failed mails back, each with a fresh count of
// tries, as an operator asks for when what made them fail is mended. It may
// run again: what was told or sent meanwhile stays as it is, and what is put
// back shows in the application at most once all the same. What fails again
// is put back only by the next call.
func Resend(ctx context.Context, store ResendStore, now time.Time, which ResendWhich) (Resent, error) {
	var sum Resent
	for after := uuid.Nil; ; {
		n, reached, err := store.ResendFacts(ctx, which, after, ResendStep)
		sum.Facts += n
		if err != nil {
			return sum, err
		}
		if reached == uuid.Nil {
			break
		}
		after = reached
	}
	for after := uuid.Nil; ; {
		n, reached, err := store.ResendMails(ctx, now, which, after, ResendStep)
		sum.Mails += n
		if err != nil {
			return sum, err
		}
		if reached == uuid.Nil {
			return sum, nil
		}
		after = reached
	}
}
