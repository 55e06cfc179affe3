package org

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
	"happening/internal/user"
)

// The limits of invites.
const (
	InviteLife = 7 * 24 * time.Hour
	// MaxAddress bounds an address, in bytes; no mail server takes a longer one.
	MaxAddress = 254
	// MaxPendingInvites bounds what one organization can have sent to people
	// who did not answer.
	MaxPendingInvites = 500
	// MaxInviteLines bounds the addresses that are invited in one go.
	MaxInviteLines = 200
	// MaxSends bounds how often an invite's mail is asked for, the first time
	// included, and ResendAfter is how long it takes until it can be again.
	MaxSends    = 5
	ResendAfter = 60 * time.Second
	// SweepBatch bounds the overdue invites that are closed in one go.
	SweepBatch = 500
)

// The limits that keep one person from filling other people's mailboxes. They
// hold over all organizations, because whoever founds one can invite anybody.
const (
	// MaxInvitesBy and MaxInvitesTo bound the invites that one person makes,
	// and that are made to one address, within InviteWindow; sending one again
	// counts as one more of whoever made it. A pasted list of MaxInviteLines
	// must fit.
	MaxInvitesBy = 500
	MaxInvitesTo = 10
	InviteWindow = 24 * time.Hour
)

// KindInvited is the kind of Invited in the outbox.
const KindInvited = "org.invited"

// Invited is the fact that somebody was invited. It holds no address: that is
// read, and the link's secret made, when the mail is sent.
type Invited struct {
	InviteID uuid.UUID `json:"invite_id"`
}

// The faults of invites. ErrInvitesToday is the same whether it is the caller
// or the address that had too many, and says nothing of accounts; it carries
// when one more will be allowed.
var (
	ErrInvitesToday     = fault.New(fault.TooMany, "too_many_invites", "Too many invites were sent today. Try again later.")
	ErrAlreadyMember    = fault.New(fault.Conflict, "already_member", "This person is a member already.")
	ErrAlreadyInvited   = fault.New(fault.Conflict, "already_invited", "This address has an invite that is not answered yet.")
	ErrTooManyInvites   = fault.New(fault.Conflict, "too_many_invites", "Too many invites of this organization are not answered yet.")
	ErrTooManySends     = fault.New(fault.Conflict, "too_many_sends", "This invite was sent as often as one may be. Withdraw it and invite anew if it is still wanted.")
	ErrSentRecently     = fault.New(fault.TooMany, "sent_recently", "This invite was sent a moment ago. Wait before you send it again.")
	ErrInviteNotPending = fault.New(fault.Conflict, "invite_not_pending", "The invite was answered, withdrawn or has expired.")
)

// InviteStatus is where an invite stands.
type InviteStatus string

// Pending is the only status that changes, once.
const (
	Pending  InviteStatus = "pending"
	Accepted InviteStatus = "accepted"
	Rejected InviteStatus = "rejected"
	Revoked  InviteStatus = "revoked"
	Expired  InviteStatus = "expired"
)

// Invite offers whoever has an address a role in an organization. Times are
// UTC.
type Invite struct {
	ID        uuid.UUID
	OrgID     uuid.UUID
	OrgName   string // read along, never written through the invite
	Email     string
	Role      access.Role
	Status    InviteStatus // as stored; see StatusAt
	InvitedBy uuid.UUID
	CreatedAt time.Time
	ExpiresAt time.Time
	SentAt    time.Time // when the mail was last asked for
	Sends     int       // how often it was
}

// StatusAt gives the status by the clock: whether the sweep has closed an
// overdue invite yet makes no difference.
func (i *Invite) StatusAt(now time.Time) InviteStatus {
	if i.Status == Pending && !now.Before(i.ExpiresAt) {
		return Expired
	}
	return i.Status
}

// NewInvite makes an invite, or tells every field that is not valid.
func NewInvite(id, orgID uuid.UUID, email string, role access.Role, invitedBy uuid.UUID, now time.Time) (Invite, error) {
	var bad []fault.Field
	address, ok := NormalAddress(email)
	if !ok {
		bad = append(bad, fault.Field{Name: "email", Message: "Use one mail address such as name@example.org."})
	}
	if !role.Valid() {
		bad = append(bad, fault.Field{Name: "role", Message: "Use user, organizer or orgAdmin."})
	}
	if len(bad) > 0 {
		return Invite{}, fault.InvalidFields(bad...)
	}
	return Invite{
		ID: id, OrgID: orgID, Email: address, Role: role, Status: Pending, InvitedBy: invitedBy,
		CreatedAt: instant(now), ExpiresAt: instant(now.Add(InviteLife)), SentAt: instant(now), Sends: 1,
	}, nil
}

// Resend makes of a pending invite what it is after its mail was asked for
// once more, with a whole life before it, or tells why that can't be. The link
// of the mail before counts until the next one is made, so that an invite is
// never without one.
func (i Invite) Resend(now time.Time) (Invite, error) {
	switch wait := i.SentAt.Add(ResendAfter).Sub(now); {
	case i.StatusAt(now) != Pending:
		return Invite{}, ErrInviteNotPending
	case i.Sends >= MaxSends:
		return Invite{}, ErrTooManySends
	case wait > 0:
		return Invite{}, ErrSentRecently.After(wait)
	}
	i.Sends++
	i.SentAt, i.ExpiresAt = instant(now), instant(now.Add(InviteLife))
	return i, nil
}

// Sendings are the mails about invites that were asked for within the last
// InviteWindow, the newest first: by one person, or to one address.
type Sendings []time.Time

// CountSending notes one more mail of an inviter to an address, or tells when
// there is room for it in both counts.
func CountSending(by, to *Sendings, now time.Time) error {
	var free time.Time // when both have room
	for _, count := range []struct {
		sent Sendings
		most int
	}{{*by, MaxInvitesBy}, {*to, MaxInvitesTo}} {
		if len(count.sent) < count.most {
			continue
		}
		if next := count.sent[count.most-1].Add(InviteWindow); next.After(free) {
			free = next
		}
	}
	if !free.IsZero() {
		return ErrInvitesToday.After(free.Sub(now))
	}
	*by, *to = append(Sendings{now}, *by...), append(Sendings{now}, *to...)
	return nil
}

// Outcome is what became of one address among many.
type Outcome string

// The outcomes.
const (
	OutcomeInvited        Outcome = "invited"
	OutcomeAlreadyMember  Outcome = "already_member"
	OutcomeAlreadyInvited Outcome = "already_invited"
	OutcomeInvalid        Outcome = "invalid"
	OutcomeLimit          Outcome = "limit"    // of invites that wait for an answer, or of the day
	OutcomeRepeated       Outcome = "repeated" // stands further up in the list
)

// Line is one address of many that were invited in one go.
type Line struct {
	Email   string // as it was given
	Outcome Outcome
	Invite  Invite // where the outcome is OutcomeInvited
}

// outcomeOf is the outcome of an invite that was refused with err; no such
// outcome: err is about all of them.
func outcomeOf(err error) (Outcome, bool) {
	switch {
	case err == nil:
		return OutcomeInvited, true
	case errors.Is(err, ErrAlreadyMember):
		return OutcomeAlreadyMember, true
	case errors.Is(err, ErrAlreadyInvited):
		return OutcomeAlreadyInvited, true
	case errors.Is(err, ErrTooManyInvites), errors.Is(err, ErrInvitesToday):
		return OutcomeLimit, true
	}
	return "", false
}

// InviteRecord is what the organization's record says of an invite that was
// made.
func InviteRecord(i Invite) audit.Entry {
	return audit.Entry{
		OrgID: i.OrgID, ActorID: i.InvitedBy, Action: audit.InviteCreated, SubjectID: i.ID, At: i.CreatedAt,
		After: audit.Details{"role": i.Role},
	}
}

// ResendRecord is what it says of an invite that was sent again.
func ResendRecord(i Invite, actor uuid.UUID) audit.Entry {
	return audit.Entry{
		OrgID: i.OrgID, ActorID: actor, Action: audit.InviteResent, SubjectID: i.ID, At: i.SentAt,
		Before: audit.Details{"sends": i.Sends - 1}, After: audit.Details{"sends": i.Sends},
	}
}

// NormalAddress gives the one spelling of a mail address under which it is
// stored and compared: without white space around it, in lower case. A name
// beside the address, a list, a quoted local part and what could be taken for
// another address are refused.
func NormalAddress(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if !user.ClearAddress(s) { // asked before case is gone, which would hide it
		return "", false
	}
	s = strings.ToLower(s)
	if s == "" || len(s) > MaxAddress || strings.ContainsAny(s, "\"<>(),:;\\") {
		return "", false
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || strings.Contains(s, "@[") {
		return "", false
	}
	return s, true
}

// Answer is what the invited person says.
type Answer string

// The answers.
const (
	Accept Answer = "accept"
	Reject Answer = "reject"
)

// Status is what the answer makes of a pending invite.
func (a Answer) Status() InviteStatus {
	if a == Accept {
		return Accepted
	}
	return Rejected
}

// AnswerRecord is what the organization's record says of an answer. before is
// the role that the person had, after the one that they have now.
func AnswerRecord(i Invite, userID uuid.UUID, a Answer, before, after access.Role, now time.Time) audit.Entry {
	if a == Reject {
		return audit.Entry{
			OrgID: i.OrgID, ActorID: userID, Action: audit.InviteRejected, SubjectID: i.ID, At: now,
			Before: audit.Details{"role": i.Role},
		}
	}
	e := audit.Entry{
		OrgID: i.OrgID, ActorID: userID, Action: audit.MemberJoined, SubjectID: userID, At: now,
		After: audit.Details{"role": after, "invite_id": i.ID},
	}
	if before != access.NoRole {
		e.Before = audit.Details{"role": before}
	}
	return e
}

// tokenBytes is the strength of a link's secret.
const tokenBytes = 32

// newToken makes a link's secret and the hash that stands for it in the
// database, where the secret itself is never kept.
func newToken() (token string, hash []byte) {
	raw := make([]byte, tokenBytes)
	rand.Read(raw) // It never fails: without randomness the process ends.
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, hashToken(token)
}

// hashToken needs no salt and no slowness, since a secret of this strength
// can't be guessed.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
