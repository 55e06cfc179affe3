package org_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/org"
)

func TestWhatAStandingAllows(t *testing.T) {
	const none, user, organizer, admin = access.NoRole, access.User, access.Organizer, access.OrgAdmin
	for name, c := range map[string]struct {
		s       org.Standing
		to      access.Role
		setRole error
		remove  error
	}{
		"admin, of a user":                  {org.Standing{Actor: admin, Member: user, Admins: 1}, organizer, nil, nil},
		"admin, of another admin":           {org.Standing{Actor: admin, Member: admin, Admins: 2}, user, nil, nil},
		"admin, of themselves":              {org.Standing{Actor: admin, Member: admin, Itself: true, Admins: 2}, user, nil, nil},
		"the last admin, of themselves":     {org.Standing{Actor: admin, Member: admin, Itself: true, Admins: 1}, user, org.ErrLastOrgAdmin, org.ErrLastOrgAdmin},
		"the last admin, to the same":       {org.Standing{Actor: admin, Member: admin, Itself: true, Admins: 1}, admin, nil, org.ErrLastOrgAdmin},
		"admin, of a stranger":              {org.Standing{Actor: admin, Member: none, Admins: 1}, user, fault.ErrNotFound, fault.ErrNotFound},
		"organizer, of a user":              {org.Standing{Actor: organizer, Member: user, Admins: 1}, organizer, fault.ErrForbidden, fault.ErrForbidden},
		"organizer, of a stranger":          {org.Standing{Actor: organizer, Member: none, Admins: 1}, user, fault.ErrForbidden, fault.ErrForbidden},
		"organizer, of themselves":          {org.Standing{Actor: organizer, Member: organizer, Itself: true, Admins: 1}, admin, fault.ErrForbidden, nil},
		"user, of the last admin":           {org.Standing{Actor: user, Member: admin, Admins: 1}, user, fault.ErrForbidden, fault.ErrForbidden},
		"user, of themselves":               {org.Standing{Actor: user, Member: user, Itself: true, Admins: 1}, organizer, fault.ErrForbidden, nil},
		"who is no member any more":         {org.Standing{Actor: none, Member: admin, Admins: 1}, user, fault.ErrForbidden, fault.ErrForbidden},
		"who is none, of themselves":        {org.Standing{Itself: true, Admins: 1}, user, fault.ErrForbidden, fault.ErrNotFound},
		"an admin who was demoted just now": {org.Standing{Actor: user, Member: admin, Admins: 1}, user, fault.ErrForbidden, fault.ErrForbidden},
	} {
		if err := c.s.SetRole(c.to); !errors.Is(err, c.setRole) {
			t.Errorf("%s: role %s: got %v, want %v", name, c.to, err, c.setRole)
		}
		if err := c.s.Remove(); !errors.Is(err, c.remove) {
			t.Errorf("%s: remove: got %v, want %v", name, err, c.remove)
		}
	}
}

func TestSendingAnInviteAgain(t *testing.T) {
	made, err := org.NewInvite(id, id, "ann@example.org", access.User, me, now)
	if err != nil || made.Sends != 1 || !made.SentAt.Equal(now) {
		t.Fatalf("%+v, %v", made, err)
	}
	_, err = made.Resend(now.Add(org.ResendAfter - time.Second))
	var f *fault.Error
	if !errors.As(err, &f) || !errors.Is(err, org.ErrSentRecently) || f.Kind != fault.TooMany || f.RetryAfter != time.Second {
		t.Errorf("a moment later: %v", err)
	}
	later := now.Add(org.ResendAfter)
	again, err := made.Resend(later)
	if err != nil || again.Sends != 2 || !again.SentAt.Equal(later) || !again.ExpiresAt.Equal(later.Add(org.InviteLife)) || again.ID != made.ID {
		t.Errorf("a minute later: %+v, %v", again, err)
	}
	if _, err := made.Resend(made.ExpiresAt); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("expired: %v", err)
	}
	for at := later; again.Sends < org.MaxSends; {
		at = at.Add(time.Hour)
		if again, err = again.Resend(at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := again.Resend(again.SentAt.Add(time.Hour)); !errors.Is(err, org.ErrTooManySends) {
		t.Errorf("once too often: %v", err)
	}
	for _, status := range []org.InviteStatus{org.Accepted, org.Rejected, org.Revoked, org.Expired} {
		made.Status = status
		if _, err := made.Resend(later); !errors.Is(err, org.ErrInviteNotPending) {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestSendingsAreCountedOfBoth(t *testing.T) {
	ago := func(hours ...int) (s org.Sendings) { // the newest first
		for _, h := range hours {
			s = append(s, now.Add(-time.Duration(h)*time.Hour))
		}
		return s
	}
	full := func(most, hours int) org.Sendings { return ago(slices.Repeat([]int{hours}, most)...) }
	for name, c := range map[string]struct {
		by, to org.Sendings
		again  time.Duration // 0: it was allowed
	}{
		"nothing yet":                  {nil, nil, 0},
		"one less than may be":         {full(org.MaxInvitesBy-1, 1), full(org.MaxInvitesTo-1, 2), 0},
		"the inviter had as many":      {full(org.MaxInvitesBy, 1), nil, 23 * time.Hour},
		"the address had as many":      {nil, full(org.MaxInvitesTo, 2), 22 * time.Hour},
		"both had, the later counts":   {full(org.MaxInvitesBy, 5), full(org.MaxInvitesTo, 2), 22 * time.Hour},
		"both had, the other is later": {full(org.MaxInvitesBy, 1), full(org.MaxInvitesTo, 2), 23 * time.Hour},
		"the oldest in the way leaves": {nil, append(ago(1, 1, 1), full(org.MaxInvitesTo-3, 20)...), 4 * time.Hour},
	} {
		by, to := slices.Clone(c.by), slices.Clone(c.to)
		err := org.CountSending(&by, &to, now)
		var f *fault.Error
		switch {
		case c.again == 0 && (err != nil || len(by) != len(c.by)+1 || len(to) != len(c.to)+1 || !by[0].Equal(now)):
			t.Errorf("%s: %v", name, err)
		case c.again > 0 && (!errors.As(err, &f) || !errors.Is(err, org.ErrInvitesToday) || f.RetryAfter != c.again || len(by) != len(c.by) || len(to) != len(c.to)):
			t.Errorf("%s: got %v, want another try after %v", name, err, c.again)
		}
	}
}

// A whole list fits into what one person may invite a day, and twice.
func TestAListFitsIntoTheDay(t *testing.T) {
	if 2*org.MaxInviteLines > org.MaxInvitesBy || org.MaxInviteLines > org.MaxPendingInvites {
		t.Error("a list of addresses can't be invited in one go")
	}
	// The longest list of the longest addresses fits into a body, with quotes
	// and commas and the organization.
	const maxBody = 64 << 10
	if n := len(strings.Repeat(`"",`, org.MaxInviteLines)) + org.MaxInviteLines*org.MaxAddress + 200; n > maxBody {
		t.Errorf("such a list takes %d bytes", n)
	}
}
