package booking

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

const (
	// RepairEvery is how often Repair is to be called.
	RepairEvery = 5 * time.Second
	// mirrorPage bounds the events that are compared with the mirror at once.
	mirrorPage = 128
	// MirrorKept is how long after its end an event is still compared.
	MirrorKept = 24 * time.Hour
	// FillPage bounds the events that Fill has in hand at once, and with them the
	// waitlists.
	FillPage = 64
	// FillTurn is how long one call of Fill goes on to the next page.
	FillTurn = 15 * time.Second
)

// Repair compares counter and waitlist of the events in memory with what the
// mirror has, brings the mirror to what is committed, and ends holds on seats
// that are sold. It may run in every process, at any time and twice.
func (s *Service) Repair(ctx context.Context) error {
	if s.mirror == nil {
		return nil
	}
	for page := range slices.Chunk(s.alloc.inMemory(), mirrorPage) {
		figures, err := s.alloc.figures(ctx, page)
		if err != nil {
			return fmt.Errorf("booking: repair the mirror: %w", err)
		}
		different, err := s.mirror.Compare(ctx, figures)
		if err != nil {
			return fmt.Errorf("booking: repair the mirror: %w", err)
		}
		for _, d := range different {
			if d.Ahead {
				err = errors.Join(err, s.correct(ctx, d))
			}
		}
		if err == nil {
			err = s.endHolds(ctx, page)
		}
		if err != nil {
			return fmt.Errorf("booking: repair the mirror: %w", err)
		}
	}
	return nil
}

// endHolds ends the holds on seats of events in memory that are sold. Memory
// says where to look, and where it may be behind PostgreSQL has the last word.
func (s *Service) endHolds(ctx context.Context, entries []*entry) error {
	ids := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		ids[i] = e.id
	}
	return s.heldAndSold(ctx, ids, func(i int, held []int32) []int32 {
		sold, _ := entries[i].live.Taken(held)
		suspect := held[:0]
		for at, seat := range held {
			if sold[at] {
				suspect = append(suspect, seat)
			}
		}
		return suspect
	}, func(i int, sold []int32) error {
		return s.settleSold(ctx, ids[i], sold)
	})
}

// settleSold ends holds that were to end when their seats were sold: the
// process died in between that sold them.
func (s *Service) settleSold(ctx context.Context, eventID uuid.UUID, sold []int32) error {
	// Version 0 is older than any: it touches holds and nothing else.
	return s.holds.Settle(ctx, Sale{EventID: eventID, Sold: sold})
}

// heldAndSold tells for which of the events, by index, seats are held that
// PostgreSQL has as sold. It is asked about those that suspect leaves of the
// seats held; nil: about all.
func (s *Service) heldAndSold(ctx context.Context, ids []uuid.UUID, suspect func(i int, held []int32) []int32, tell func(i int, sold []int32) error) error {
	views, err := s.holds.View(ctx, ids)
	if err != nil {
		return err
	}
	for i, v := range views {
		held := slices.Sorted(maps.Keys(v.Holders))
		if suspect != nil {
			held = suspect(i, held)
		}
		if len(held) == 0 {
			continue
		}
		sold, err := s.store.SoldOf(ctx, ids[i], held)
		if err == nil && len(sold) > 0 {
			err = tell(i, sold)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// correct brings the mirror back where it is ahead of PostgreSQL, which is
// read after the mirror was: what it knew of must be there.
func (s *Service) correct(ctx context.Context, d Difference) error {
	truth, err := s.store.FiguresOf(ctx, []uuid.UUID{d.EventID})
	if err != nil {
		return err
	}
	if len(truth) == 0 { // deleted: nobody reads it any more
		return nil
	}
	if truth[0].Version >= d.Version {
		// This process was behind, not the mirror ahead.
		_, err := s.alloc.CatchUp(ctx, d.EventID, truth[0].Version)
		if errors.Is(err, fault.ErrNotFound) {
			return nil
		}
		return err
	}
	return s.mirror.Correct(ctx, d, truth[0])
}

// figures reads counter and waitlist as they are committed, in the worker,
// where nothing is undecided.
func (a *Allocator) figures(ctx context.Context, entries []*entry) ([]Figures, error) {
	list := make([]Figures, 0, len(entries))
	err := a.inside(ctx, func() {
		for _, e := range entries {
			if f := e.figures(); f.Version != 0 {
				list = append(list, f)
			}
		}
	})
	if err != nil { // given up: the worker may be at it still
		return nil, err
	}
	return list, nil
}

// Reconcile compares all events that are not long over with the mirror, page by
// page from PostgreSQL, repairs the mirror and reports what differed. Holds on
// sold seats are differences, too: it ends them.
func (s *Service) Reconcile(ctx context.Context, report func(Difference)) error {
	if s.mirror == nil {
		return nil
	}
	err := s.pages(ctx, func(page []Figures) error { return s.mend(ctx, page, report) })
	if err != nil {
		return err
	}
	return s.pages(ctx, func(page []Figures) error {
		ids := idsOf(page)
		return s.heldAndSold(ctx, ids, nil, func(i int, sold []int32) error {
			report(Difference{
				EventID: ids[i], Version: page[i].Version, Figures: page[i],
				Had: "holds on sold seats " + strings.Trim(fmt.Sprint(sold), "[]"),
			})
			return s.settleSold(ctx, ids[i], sold)
		})
	})
}

// mend compares events with the mirror, repairs it and reports what differed.
func (s *Service) mend(ctx context.Context, page []Figures, report func(Difference)) error {
	return s.compare(ctx, page, func(d Difference, truth Figures) error {
		report(d)
		if !d.Ahead || truth.Version >= d.Version {
			return nil
		}
		return s.mirror.Correct(ctx, d, truth)
	})
}

// Fill compares all events that are not long over with a mirror that they were
// not yet compared with, such as one that was flushed, or is another than
// before: Repair knows only those in memory. Once all were compared it does
// nothing. It goes on for FillTurn and is to be called again and again, by one
// process at a time, so that nothing is done twice; by several nothing wrong is
// done. How far it has come is kept by the mirror: whoever is called next goes
// on there, and a mirror that loses its contents meanwhile is begun anew.
//
// Between two pages it rests for as long as a page took, so that half of the
// time the engines have nothing to do with it. Holds on sold seats are left to
// Repair and to their end: they are lost with the rest of the store, or minutes
// old.
func (s *Service) Fill(ctx context.Context) error {
	if s.mirror == nil {
		return nil
	}
	for began := time.Now(); ; {
		page := time.Now()
		whole, err := s.fillPage(ctx)
		if err != nil {
			return fmt.Errorf("booking: fill the mirror: %w", err)
		}
		if whole || time.Since(began) >= FillTurn {
			return nil
		}
		rest := time.NewTimer(time.Since(page))
		select {
		case <-ctx.Done():
			rest.Stop()
			return ctx.Err()
		case <-rest.C:
		}
	}
}

// fillPage compares the next page and says whether all events were. Contents
// are asked for before the page is read and noted after it was compared: where
// they change in between, the note tells of what is no more, and counts for
// nothing.
func (s *Service) fillPage(ctx context.Context) (whole bool, err error) {
	p, err := s.mirror.Progress(ctx)
	if err != nil || p.Whole {
		return p.Whole, err
	}
	page, err := s.store.Figures(ctx, s.now().Add(-MirrorKept), p.After, FillPage)
	if err != nil {
		return false, err
	}
	if err := s.mend(ctx, page, func(Difference) { p.Differed++ }); err != nil {
		return false, err
	}
	p.Events, p.Whole = p.Events+len(page), len(page) < FillPage
	if !p.Whole {
		p.After = page[len(page)-1].EventID
	}
	if err := s.mirror.Note(ctx, p); err != nil {
		return false, err
	}
	if p.Whole {
		s.log.Info("booking: all events were compared with the mirror", "events", p.Events, "differed", p.Differed)
	}
	return p.Whole, nil
}

func idsOf(page []Figures) []uuid.UUID {
	ids := make([]uuid.UUID, len(page))
	for i := range page {
		ids[i] = page[i].EventID
	}
	return ids
}

// CheckMirror is the part of the checker that compares the mirror and the
// holds with PostgreSQL (C6). It may run in the middle of a sale: a mirror that
// is behind is one that is told of a sale right now, or will be repaired, and
// is no breach.
func (s *Service) CheckMirror(ctx context.Context) ([]Breach, error) {
	wrong, err := s.checkFigures(ctx)
	if err != nil {
		return nil, err
	}
	held, err := s.checkHolds(ctx)
	if err != nil {
		return nil, err
	}
	var found []Breach
	for _, b := range []Breach{wrong, held} {
		if b.Count > 0 {
			found = append(found, b)
		}
	}
	return found, nil
}

func (s *Service) checkFigures(ctx context.Context) (Breach, error) {
	b := Breach{Rule: "C6", What: "events whose counter or waitlist in the mirror is not PostgreSQL's"}
	if s.mirror == nil {
		return b, nil
	}
	err := s.pages(ctx, func(page []Figures) error {
		return s.compare(ctx, page, func(d Difference, truth Figures) error {
			if d.Version == d.Figures.Version || d.Version > truth.Version {
				b.add(fmt.Sprintf("%s at version %d: %s", d.EventID, d.Version, d.Had))
			}
			return nil
		})
	})
	return b, err
}

// breachExamples bounds the examples of a breach.
const breachExamples = 5

func (b *Breach) add(example string) {
	if b.Count++; b.Count <= breachExamples {
		b.Examples = append(b.Examples, example)
	}
}

// compare tells of each difference, with what PostgreSQL has after the mirror
// was read where the mirror is ahead.
func (s *Service) compare(ctx context.Context, page []Figures, tell func(d Difference, truth Figures) error) error {
	different, err := s.mirror.Compare(ctx, page)
	if err != nil {
		return err
	}
	for _, d := range different {
		truth := d.Figures
		if d.Ahead {
			read, err := s.store.FiguresOf(ctx, []uuid.UUID{d.EventID})
			if err != nil {
				return err
			}
			if len(read) == 0 {
				continue
			}
			truth = read[0]
		}
		if err := tell(d, truth); err != nil {
			return err
		}
	}
	return nil
}

// pages reads the figures of all events that are not long over.
func (s *Service) pages(ctx context.Context, do func([]Figures) error) error {
	since := s.now().Add(-MirrorKept)
	for after := uuid.Nil; ; {
		page, err := s.store.Figures(ctx, since, after, mirrorPage)
		if err == nil && len(page) > 0 {
			err = do(page)
		}
		if err != nil {
			return fmt.Errorf("booking: compare with the mirror: %w", err)
		}
		if len(page) < mirrorPage {
			return nil
		}
		after = page[len(page)-1].EventID
	}
}

// checkHolds looks for holds on sold seats. A hold ends just after the commit
// that sells its seat, so that one counts only where the store has been told
// of all sales that were read.
func (s *Service) checkHolds(ctx context.Context) (Breach, error) {
	b := Breach{Rule: "C6", What: "holds on seats that are sold"}
	err := s.pages(ctx, func(page []Figures) error {
		ids := idsOf(page)
		views, err := s.holds.View(ctx, ids)
		if err != nil {
			return err
		}
		for i, v := range views {
			if len(v.Holders) == 0 {
				continue
			}
			seats := make([]int32, 0, len(v.Holders))
			for seat := range v.Holders {
				seats = append(seats, seat)
			}
			sold, err := s.store.SoldOf(ctx, ids[i], seats)
			if err != nil {
				return err
			}
			if len(sold) == 0 {
				continue
			}
			truth, err := s.store.FiguresOf(ctx, ids[i:i+1])
			if err != nil {
				return err
			}
			if len(truth) == 0 {
				continue
			}
			again, err := s.holds.View(ctx, ids[i:i+1])
			if err != nil {
				return err
			}
			if told := again[0].SaleVersion; told != 0 && told < truth[0].Version {
				continue
			}
			for _, seat := range sold {
				if holder, held := again[0].Holders[seat]; held && holder == v.Holders[seat] {
					b.add(fmt.Sprintf("%s seat %d", ids[i], seat))
				}
			}
		}
		return nil
	})
	return b, err
}
