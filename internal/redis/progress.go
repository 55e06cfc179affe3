package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/booking"
)

const (
	// mirroredKey says how far all events were compared with what is here.
	mirroredKey = "happening:mirrored"
	// mirroredKept is for how long that counts. It ends long before counters and
	// waitlists do that nobody uses, so that the next comparison finds them there
	// and puts their end off.
	mirroredKept = mirrorKept / 4
	// mirroredWhole stands where the last event compared would, once all were.
	mirroredWhole = "whole"
)

// Progress implements booking.Mirror.
func (s *Store) Progress(ctx context.Context) (booking.Progress, error) {
	contents, err := s.contents(ctx)
	if err != nil {
		return booking.Progress{}, holdsAway(err)
	}
	p := booking.Progress{Contents: contents}
	err = s.plainly(ctx, bulkPatience, 1, func(c rueidis.Client, _ int) rueidis.Completed {
		return c.B().Get().Key(mirroredKey).Build()
	}, func(_ int, m rueidis.RedisMessage) {
		// Nothing there, or nothing of ours: begun anew.
		if text, err := m.ToString(); err == nil {
			p = progressOf(text, p)
		}
	})
	if err != nil {
		return booking.Progress{}, holdsAway(err)
	}
	return p, nil
}

// Note implements booking.Mirror.
func (s *Store) Note(ctx context.Context, p booking.Progress) error {
	at := p.After.String()
	if p.Whole {
		at = mirroredWhole
	}
	value := fmt.Sprintf("%s %s %d %d", p.Contents, at, p.Events, p.Differed)
	err := s.plainly(ctx, bulkPatience, 1, func(c rueidis.Client, _ int) rueidis.Completed {
		return c.B().Set().Key(mirroredKey).Value(value).Px(mirroredKept).Build()
	}, nil)
	if err != nil {
		return holdsAway(err)
	}
	return nil
}

// progressOf reads what Note wrote; it is none where that was of other contents
// or is not to be read.
func progressOf(text string, none booking.Progress) booking.Progress {
	fields := strings.Fields(text)
	if len(fields) != 4 || fields[0] != none.Contents {
		return none
	}
	p := booking.Progress{Contents: none.Contents, Whole: fields[1] == mirroredWhole}
	var errs [3]error
	if !p.Whole {
		p.After, errs[0] = uuid.Parse(fields[1])
	}
	p.Events, errs[1] = strconv.Atoi(fields[2])
	p.Differed, errs[2] = strconv.Atoi(fields[3])
	if errors.Join(errs[:]...) != nil {
		return none
	}
	return p
}

// contents names what Redis has: a database that was flushed or is another one
// has another identity, and a server that was started again, or took over, may
// have gone back in time with the identity that it had, or be empty while
// another node of the cluster has it. A node of a cluster whose keys alone were
// flushed is not noticed.
func (s *Store) contents(ctx context.Context) (string, error) {
	identity, err := s.Identity(ctx)
	if err != nil {
		return "", err
	}
	client := s.client.Load()
	if client == nil {
		return "", errAway
	}
	bounded, cancel := context.WithTimeout(ctx, bulkPatience)
	defer cancel()
	var runs []string
	for _, node := range (*client).Nodes() {
		// A replica may be dead while Redis is well: no outage begins here.
		text, err := node.Do(bounded, node.B().Info().Section("server", "replication").Build()).ToString()
		if err != nil {
			return "", err
		}
		if info := fieldsOf(text); info["role"] == "master" {
			runs = append(runs, info["run_id"])
		}
	}
	slices.Sort(runs)
	sum := sha256.Sum256([]byte(strings.Join(runs, " ")))
	return identity + "/" + hex.EncodeToString(sum[:]), nil
}

// fieldsOf reads what a server tells of itself.
func fieldsOf(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
