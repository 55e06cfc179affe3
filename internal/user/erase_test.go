package user

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// lookups is a store in which an identity is looked up for as long as a test
// lets it.
type lookups struct {
	Store
	id      uuid.UUID
	looking chan struct{} // told when somebody has read
	goOn    chan struct{}
}

func (l *lookups) PersonByIdentity(context.Context, string, string) (uuid.UUID, error) {
	id := l.id
	if l.looking != nil {
		l.looking <- struct{}{}
		<-l.goOn
	}
	if id == uuid.Nil {
		return uuid.Nil, fault.ErrNotFound
	}
	return id, nil
}

func TestAForgottenPersonIsNotRemembered(t *testing.T) {
	ctx, ann := context.Background(), uuid.New()
	store := &lookups{id: ann}
	s := NewService(store, time.Now)
	look := func() (uuid.UUID, error) { return s.Lookup(ctx, "issuer", "ann") }
	if id, err := look(); err != nil || id != ann {
		t.Fatal(id, err)
	}
	store.id = uuid.Nil // erased
	if id, err := look(); err != nil || id != ann {
		t.Fatalf("nothing is remembered, so that forgetting shows nothing: %v, %v", id, err)
	}
	s.Forget(ann)
	if _, err := look(); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("remembered after all: %v", err)
	}
}

// A look-up reads the person, is overtaken by the erasure, and must not put
// back what it read.
func TestALookUpThatAnErasureOvertakesIsNotRemembered(t *testing.T) {
	ctx, ann := context.Background(), uuid.New()
	store := &lookups{id: ann, looking: make(chan struct{}), goOn: make(chan struct{})}
	s := NewService(store, time.Now)
	done := make(chan error, 1)
	go func() {
		_, err := s.Lookup(ctx, "issuer", "ann")
		done <- err
	}()
	<-store.looking
	s.Forget(ann)
	close(store.goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	store.id, store.looking = uuid.Nil, nil
	if _, err := s.Lookup(ctx, "issuer", "ann"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("the erased person is remembered: %v", err)
	}
}
