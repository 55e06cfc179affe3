package redis

import (
	"context"
	"time"

	"github.com/google/uuid"
)

const (
	// identityKey is the one key without an end.
	identityKey = "happening:store"
	// identityTries is how often the identity is looked for: a second time
	// after somebody else's value was taken away, a third where another
	// process did the same at that moment.
	identityTries = 3
)

// Identity is the name of this Redis database, the same for all processes. It
// is made by whoever asks first and has no end; a database that was flushed has
// a new one. Two processes with one PostgreSQL and different identities would
// each hand out the other's held seats, so they have to find out by it.
func (s *Store) Identity(ctx context.Context) (string, error) {
	client := s.client.Load()
	if client == nil || s.away.Load() {
		return "", errAway
	}
	bounded, cancel := context.WithTimeout(ctx, bulkPatience)
	defer cancel()
	c := *client
	for range identityTries {
		mine := uuid.NewString()
		m, err := c.Do(bounded, c.B().Set().Key(identityKey).Value(mine).Nx().Get().Build()).ToMessage()
		switch kind := kindOf(err); {
		case kind == fine && m.IsNil():
			return mine, nil
		case kind == fine:
			text, err := m.ToString()
			if id, bad := uuid.Parse(text); err == nil && bad == nil {
				return id.String(), nil
			}
		case kind != foreignValue:
			return "", s.judge(ctx, err)
		}
		if s.foreign.now(identityKey, time.Now()) {
			s.log.Warn("the name of the Redis database is not ours and is made anew", "key", identityKey)
		}
		if err := c.Do(bounded, c.B().Del().Key(identityKey).Build()).Error(); err != nil {
			return "", s.judge(ctx, err)
		}
	}
	return "", errForeign
}
