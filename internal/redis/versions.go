package redis

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/realtime"
)

// Version implements realtime.Versions.
func (s *Store) Version(ctx context.Context, eventID uuid.UUID) (realtime.Stand, error) {
	return s.stand(ctx, eventID, false, 0)
}

// Next implements realtime.Versions. It also says that this process owes
// watchers nothing that it changed before.
func (s *Store) Next(ctx context.Context, eventID uuid.UUID, saleVersion int64) (realtime.Stand, error) {
	return s.stand(ctx, eventID, true, saleVersion)
}

// Seen notes a sale version that was found committed and that its own process
// may not have settled yet. Whoever shows it to anybody notes it before, so that
// no process shows less from then on.
func (s *Store) Seen(ctx context.Context, eventID uuid.UUID, saleVersion int64) error {
	_, err := s.stand(ctx, eventID, false, saleVersion)
	return err
}

func (s *Store) stand(ctx context.Context, eventID uuid.UUID, moves bool, sale int64) (realtime.Stand, error) {
	k := s.event(eventID)
	k.mu.Lock()
	newest := k.version
	k.mu.Unlock()
	answers, err := s.run(ctx, s.patience, call{
		script: versionScript, keys: []string{eventKey(eventID, "live"), eventKey(eventID, "viewers")}, owned: ownedKeys(eventID),
		args: []string{newest.Epoch, strconv.FormatInt(newest.N, 10), flag(moves), strconv.FormatInt(sale, 10)},
	})
	if err != nil {
		return realtime.Stand{}, holdsAway(err)
	}
	r := reading(answers[0])
	stand := realtime.Stand{
		Version: realtime.Version{Epoch: r.text(), N: r.number()}, Sale: r.number(), Watched: r.number() == 1,
	}
	if r.bad {
		return realtime.Stand{}, holdsAway(errAnswer)
	}
	k.mu.Lock()
	if k.version.Epoch != stand.Epoch || k.version.N < stand.N {
		k.version = stand.Version
	}
	k.mu.Unlock()
	return stand, nil
}

// Newest gives the newest sale version that any process has settled, zero
// where none is known. It is cheaper than Version and moves nothing.
func (s *Store) Newest(ctx context.Context, eventID uuid.UUID) (newest int64, err error) {
	err = s.plainly(ctx, s.patience, 1, func(c rueidis.Client, _ int) rueidis.Completed {
		return c.B().Hget().Key(eventKey(eventID, "live")).Field("sale").Build()
	}, func(_ int, m rueidis.RedisMessage) {
		newest, _ = m.AsInt64() // what is no number is not ours
	})
	if err != nil {
		return 0, holdsAway(err)
	}
	return newest, nil
}
