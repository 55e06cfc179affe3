package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"happening/internal/booking"
	"happening/internal/event"
)

// wording is what a message says. The title is also the mail's subject, the
// text stands in the bell, the lead opens the mail, which lists time, place
// and seats beneath.
type wording struct {
	kind  string // the message's type
	title string
	text  string
	lead  string
}

// wordBooking words a change of one person's booking.
func wordBooking(f Fact, c *bookingChange, card EventCard) wording {
	if c.by(f.UserID) == byOrganizer && (f.Kind == BookingConfirmed || f.Kind == BookingWaitlisted) {
		return wordBookedFor(f, c, card)
	}
	switch f.Kind {
	case BookingConfirmed:
		return wording{
			kind: TypeBookingConfirmed, title: "Booked: " + card.Name,
			text: SeatLabels(card.Layout, c.To.SeatNumbers) + ", " + shortTime(card) + ".",
			lead: "Your " + plural(c.To.Seats, "seat is", "seats are") + " booked. See you there!",
		}
	case BookingWaitlisted:
		lead := "There are no seats for you right now, so you are on the waitlist"
		if c.Position > 0 {
			lead += ", at position " + strconv.Itoa(int(c.Position))
		}
		return wording{
			kind: TypeBookingWaitlisted, title: "On the waitlist: " + card.Name,
			text: waitingText(c), lead: lead + ". As soon as seats are yours, we tell you.",
		}
	case BookingPromoted:
		text := "Seats became free and are yours now: "
		if c.To.Seats == 1 {
			text = "A seat became free and is yours now: "
		}
		return wording{
			kind: TypeWaitlistPromoted, title: "You are in: " + card.Name,
			text: text + SeatLabels(card.Layout, c.To.SeatNumbers) + ".",
			lead: "Good news: your wait is over. " + plural(c.To.Seats, "A seat became free and is", "Seats became free and are") + " booked for you.",
		}
	case BookingChanged:
		text := changedText(f, c, card)
		return wording{kind: TypeBookingChanged, title: "Booking changed: " + card.Name, text: text, lead: text}
	}
	return wordCancellation(f, c, card)
}

// wordBookedFor words a booking that somebody at an organization made for the
// person. Who did is not named, as nowhere in what organizers do.
func wordBookedFor(f Fact, c *bookingChange, card EventCard) wording {
	who := card.OrgName
	if who == "" {
		who = "The organizer"
	}
	if f.Kind == BookingWaitlisted {
		text := who + " put you on the waitlist. " + waitingText(c)
		return wording{kind: TypeBookingWaitlisted, title: "On the waitlist: " + card.Name, text: text, lead: text}
	}
	return wording{
		kind: TypeBookingConfirmed, title: "Booked for you: " + card.Name,
		text: who + " booked for you: " + SeatLabels(card.Layout, c.To.SeatNumbers) + ", " + shortTime(card) + ".",
		lead: who + " booked " + plural(c.To.Seats, "a seat", strconv.Itoa(int(c.To.Seats))+" seats") + " for you.",
	}
}

func waitingText(c *bookingChange) string {
	text := "You wait for " + strconv.Itoa(int(c.To.Seats)) + plural(c.To.Seats, " seat", " seats")
	if c.Position > 0 {
		text += ", at position " + strconv.Itoa(int(c.Position))
	}
	return text + ". We tell you as soon as " + plural(c.To.Seats, "it is", "they are") + " yours."
}

// changedText says what became of a booking that goes on: fewer seats, other
// seats, or a smaller party on the waitlist.
func changedText(f Fact, c *bookingChange, card EventCard) string {
	who, gave := "You", "gave back "
	if c.by(f.UserID) != bySelf {
		who, gave = "The organizer", "cancelled "
	}
	released, added := c.released(), c.added()
	switch {
	case c.To.Status == booking.Waiting:
		return fmt.Sprintf("Your party on the waitlist is now %d instead of %d. Your place in line stays.", c.To.Seats, c.From.Seats)
	case len(released) > 0 && len(added) > 0 && c.by(f.UserID) == byOrganizer:
		return "The organizer moved you: your seats are now " + SeatLabels(card.Layout, c.To.SeatNumbers) + ", instead of " + SeatLabels(card.Layout, c.From.SeatNumbers) + "."
	case len(released) > 0 && len(added) > 0:
		return "Your seats are now " + SeatLabels(card.Layout, c.To.SeatNumbers) + ", instead of " + SeatLabels(card.Layout, c.From.SeatNumbers) + "."
	case len(released) > 0:
		return who + " " + gave + SeatLabels(card.Layout, released) + ". You keep " + SeatLabels(card.Layout, c.To.SeatNumbers) + "."
	default:
		return "Your seats are now " + SeatLabels(card.Layout, c.To.SeatNumbers) + "."
	}
}

// wordCancellation words the end of a booking by what ended it.
func wordCancellation(f Fact, c *bookingChange, card EventCard) wording {
	w := wording{kind: TypeBookingCancelled, title: "Booking cancelled: " + card.Name}
	waited := c.From.Status == booking.Waiting
	seats := SeatLabels(card.Layout, c.From.SeatNumbers)
	switch {
	case c.Reason == booking.ReasonEventCancelled:
		w.kind, w.title = TypeEventCancelled, "Cancelled: "+card.Name
		w.text = "The event on " + shortTime(card) + " does not take place. Your booking is cancelled with it."
	case c.Reason == booking.ReasonEventStarted:
		w.title = "Waitlist closed: " + card.Name
		w.text = "The event has started, and not enough seats became free for you. Your place on the waitlist is closed."
	case c.Reason == booking.ReasonCapacity:
		w.title = "Waitlist closed for you: " + card.Name
		w.text = fmt.Sprintf("The event has become smaller than your party of %d, so your place on the waitlist is closed.", c.From.Seats)
	case c.by(f.UserID) == bySelf && waited:
		w.text = "You left the waitlist."
	case c.by(f.UserID) == bySelf:
		w.text = "You cancelled your booking: " + seats + "."
	case waited:
		w.text = "The organizer took you off the waitlist."
	default:
		w.text = "The organizer cancelled your booking: " + seats + "."
	}
	w.lead = w.text
	return w
}

// wordEventUpdate words a change of the event's name, time or place, as it was
// at that moment: the event may have changed again since, and then there is
// another message.
func wordEventUpdate(c *event.Updated) wording {
	before, after := &c.Before, &c.After
	var said []string
	if slices.Contains(c.Changed, "name") {
		said = append(said, fmt.Sprintf("It is now called “%s” (was “%s”).", after.Name, before.Name))
	}
	if slices.ContainsFunc(c.Changed, aboutTime) {
		said = append(said, fmt.Sprintf("New time: %s (was %s).", longTime(cardOf(after)), longTime(cardOf(before))))
	}
	if slices.Contains(c.Changed, "venue") {
		switch {
		case after.Venue == "":
			said = append(said, fmt.Sprintf("The place is open again (was %s).", before.Venue))
		case before.Venue == "":
			said = append(said, fmt.Sprintf("The place: %s.", after.Venue))
		default:
			said = append(said, fmt.Sprintf("New place: %s (was %s).", after.Venue, before.Venue))
		}
	}
	if slices.Contains(c.Changed, "layout") {
		said = append(said, "The seats were laid out anew: yours may have another name, which your booking shows.")
	}
	text := strings.Join(said, " ")
	return wording{
		kind: TypeEventUpdated, title: "Changed: " + after.Name, text: text,
		lead: "The organizer changed an event that you booked. " + text + " This is how it stands now:",
	}
}

func aboutTime(field string) bool {
	return field == "starts_at" || field == "ends_at" || field == "time_zone"
}

func cardOf(n *event.Notable) EventCard {
	return EventCard{Name: n.Name, Venue: n.Venue, StartsAt: n.StartsAt, EndsAt: n.EndsAt, TimeZone: n.TimeZone}
}

// sameCard compares what messages say of an event. The database keeps times in
// microseconds, a fact may hold finer ones.
func sameCard(a, b EventCard) bool {
	same := func(a, b time.Time) bool { return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond)) }
	return a.Name == b.Name && a.Venue == b.Venue && a.TimeZone == b.TimeZone &&
		same(a.StartsAt, b.StartsAt) && same(a.EndsAt, b.EndsAt)
}

func wordInvite(orgName, role string) wording {
	text := "You are invited to join " + orgName + " as " + roleName(role) + "."
	return wording{kind: TypeOrgInvited, title: "Invitation to " + orgName, text: text, lead: text}
}

func roleName(role string) string {
	switch role {
	case "orgAdmin":
		return "an administrator"
	case "organizer":
		return "an organizer"
	default:
		return "a member"
	}
}

func wordAccount(factKind string) wording {
	switch factKind {
	case ConfirmAddress:
		return wording{kind: TypeConfirmAddress, title: "Confirm your address",
			text: "Welcome to Happening! Confirm that this address is yours, and your account is ready."}
	case ResetPassword:
		return wording{kind: TypeResetPassword, title: "Reset your password",
			text: "Somebody, hopefully you, asked to reset the password of your account."}
	default:
		return wording{kind: TypeAlreadyRegistered, title: "You already have an account",
			text: "Somebody, hopefully you, tried to sign up with this address, which already has an account."}
	}
}

func plural[N int | int32](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// shortTime is a start for the bell: "Fri 5 Dec 2026, 19:30 CET".
func shortTime(card EventCard) string {
	start := card.StartsAt.In(zone(card.TimeZone))
	return start.Format("Mon 2 Jan 2006, 15:04") + zoneMark(start, card.TimeZone)
}

// zoneMark follows a time so that nobody takes it for the time of another
// place: " CET", or " (Asia/Dubai)" where the zone has no abbreviation.
func zoneMark(at time.Time, zoneName string) string {
	if name := at.Format("MST"); !strings.ContainsAny(name, "+-") {
		return " " + name
	}
	return " (" + zoneName + ")"
}

// longTime is when an event takes place, in its own zone, for a mail:
// "Friday, 5 December 2026, 19:30–22:00 CET".
func longTime(card EventCard) string {
	const day, clock = "Monday, 2 January 2006", "15:04"
	loc := zone(card.TimeZone)
	from, to := card.StartsAt.In(loc), card.EndsAt.In(loc)
	end := "–" + to.Format(clock)
	if !sameDay(from, to) {
		end = " – " + to.Format(day+", "+clock)
	}
	start := from.Format(day + ", " + clock)
	// In the night in which the clocks change, one mark would be wrong for one
	// of the two, and an hour is there twice.
	if mark := zoneMark(from, card.TimeZone); mark != zoneMark(to, card.TimeZone) {
		start += mark
	}
	return start + end + zoneMark(to, card.TimeZone)
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}
