package notify

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/org"
	"happening/internal/user"
)

// Mail is a rendered e-mail to one person.
type Mail struct {
	// ID is the same however often the mail is sent; a sender makes the
	// Message-ID of it.
	ID      string
	To      string
	Subject string
	Text    string
	HTML    string
}

// KeptMail is a mail in the development mailbox.
type KeptMail struct {
	Mail
	At time.Time
}

// Delivery is a due mail with everything that its text needs, as it is now
// and not as it was when the message was made.
type Delivery struct {
	ID        uuid.UUID
	Attempt   int // this one, counted from 1
	OrgName   string
	BookingID uuid.UUID
	UserID    uuid.UUID
	Type      string
	Title     string
	Text      string
	Link      string
	// Fact is what the message tells of; its Kind is empty once the outbox
	// has forgotten it.
	Fact  Fact
	Event EventCard // zero where the message is about no event
	// Name and Address are the person's; the address is empty unless the
	// person has a verified one.
	Name    string
	Address string
	// Guest says that nobody has signed in with the address yet, which is then
	// not verified either.
	Guest bool
	// OnBehalf says that the message is about a booking that others made for
	// the person, and OnBehalfBefore how many such messages were told to them
	// within OnBehalfWindow before it, MaxOnBehalfMails at most.
	OnBehalf       bool
	OnBehalfBefore int
}

//go:embed templates/mail.html templates/mail.txt
var templateFiles embed.FS

var (
	htmlTemplate = htmltemplate.Must(htmltemplate.ParseFS(templateFiles, "templates/mail.html"))
	textTemplate = texttemplate.Must(texttemplate.ParseFS(templateFiles, "templates/mail.txt"))
)

// letter is what both forms of a mail show.
type letter struct {
	Subject  string
	Greeting string
	Lead     string
	Details  []detail
	Action   action
	After    string // a remark below the button
	Footer   string // why one gets this mail
	Settings action // where one chooses which mails to get; empty where there is no choice
}

type detail struct{ Label, Value string }

type action struct{ Label, URL string }

// preferencesPath is the page of the client where one chooses which mails to
// get.
const preferencesPath = "/profile/notifications"

// compose makes the mail of a delivery that is about a booking or an event.
func compose(d Delivery, publicURL string) (Mail, error) {
	l := letter{
		Subject:  d.Title,
		Greeting: greeting(d.Name),
		Lead:     d.Text,
		Action:   action{Label: "View your booking", URL: publicURL + d.Link},
		Footer:   "You get this mail because of your booking at this event.",
	}
	if MailIsChosen(d.Type) {
		l.Settings = action{Label: "Choose which mails you get", URL: publicURL + preferencesPath}
	}
	if d.Type == TypeEventUpdated {
		l.Action.Label = "View the event"
	}
	if d.OrgName != "" {
		l.Footer = "You get this mail because of your booking at an event of " + d.OrgName + "."
	}
	var seats []detail
	if d.Fact.Kind != "" {
		w, rows, err := fromFact(d)
		if err != nil {
			return Mail{}, err
		}
		l.Lead, seats = w.lead, rows
	}
	if d.Event.ID != uuid.Nil {
		l.Details = append(l.Details, detail{"Event", d.Event.Name}, detail{"When", longTime(d.Event)})
		if d.Event.Venue != "" {
			l.Details = append(l.Details, detail{"Where", d.Event.Venue})
		}
	}
	l.Details = append(l.Details, seats...)
	if d.OnBehalf {
		l.unasked(d)
	}
	return l.render(d.ID, d.Address)
}

// unasked makes a letter fit for somebody who did not ask for it: what others
// wrote leads nowhere, and it says what there is to do.
func (l *letter) unasked(d Delivery) {
	org := d.OrgName
	if org == "" {
		org = "the organizer"
	}
	l.Footer = "You get this mail because somebody at " + org + " entered your address to book for you. If you don't know them, you can leave it at that, or cancel."
	if d.Guest {
		l.After = "To see, change or cancel the booking, sign in with this address; if you have no account yet, you can make one on the way."
		l.Settings = action{}
	}
	for _, text := range []*string{&l.Subject, &l.Lead, &l.Footer} {
		*text = user.WithoutLinks(*text)
	}
	for i := range l.Details {
		l.Details[i].Value = user.WithoutLinks(l.Details[i].Value)
	}
}

// fromFact gives the words of the fact, and what the mail lists of the
// booking.
func fromFact(d Delivery) (wording, []detail, error) {
	if d.Fact.Kind == event.KindUpdated {
		change, err := decodeEventChange(d.Fact)
		if err != nil {
			return wording{}, nil, err
		}
		return wordEventUpdate(&change), nil, nil
	}
	change, err := decodeBookingChange(d.Fact)
	if err != nil {
		return wording{}, nil, err
	}
	return wordBooking(d.Fact, &change, d.Event), bookingDetails(d.Fact.Kind, &change, d.Event.Layout), nil
}

func bookingDetails(factKind string, c *bookingChange, layout *event.Layout) []detail {
	switch {
	case factKind == BookingCancelled:
		if len(c.From.SeatNumbers) > 0 {
			return []detail{{"Seats given up", SeatLabels(layout, c.From.SeatNumbers)}}
		}
		return nil
	case c.To.Status == booking.Waiting:
		rows := []detail{{"Party", fmt.Sprintf("%d %s", c.To.Seats, plural(c.To.Seats, "seat", "seats"))}}
		if c.Position > 0 {
			rows = append(rows, detail{"Position", fmt.Sprintf("%d on the waitlist", c.Position)})
		}
		return rows
	default:
		return []detail{{plural(len(c.To.SeatNumbers), "Your seat", "Your seats"), SeatLabels(layout, c.To.SeatNumbers)}}
	}
}

// inviteDays is how long an invitation stands; a mail sent again begins anew.
const inviteDays = int(org.InviteLife / (24 * time.Hour))

// composeInvite makes the mail of an invitation.
func composeInvite(d Delivery, orgName, role, address, url string) (Mail, error) {
	w := wordInvite(orgName, role)
	l := letter{
		Subject: w.title, Greeting: greeting(d.Name), Lead: w.lead,
		Action: action{Label: "See the invitation", URL: url},
		After:  fmt.Sprintf("The invitation ends %d days after this mail. If you have no account yet, you can make one with this address on the way.", inviteDays),
		Footer: "You get this mail because somebody at " + orgName + " entered your address. If you don't know them, do nothing: without your yes, nothing happens.",
	}
	return l.render(d.ID, address)
}

// composeAccount makes one of the identity provider's own mails.
func composeAccount(d Delivery, address, name, url string) (Mail, error) {
	w := wordAccount(d.Fact.Kind)
	l := letter{
		Subject: w.title, Greeting: greeting(name), Lead: w.text,
		Footer: "You get this mail because somebody entered this address at Happening.",
	}
	switch d.Fact.Kind {
	case ConfirmAddress:
		l.Action = action{Label: "Confirm this address", URL: url}
		l.After = "If you did not sign up, do nothing: nothing happens without your confirmation."
	case ResetPassword:
		l.Action = action{Label: "Choose a new password", URL: url}
		l.After = "If it was not you, do nothing: your password stays as it is."
	default:
		l.Lead += " Sign in with the password that you chose back then."
		l.Action = action{Label: "I forgot my password", URL: url}
		l.After = "If it was not you, do nothing."
	}
	return l.render(d.ID, address)
}

func greeting(name string) string {
	if name = oneLine(name); name != "" {
		return "Hello " + name + ","
	}
	return "Hello,"
}

func (l *letter) render(id uuid.UUID, to string) (Mail, error) {
	l.Subject = oneLine(l.Subject)
	var html, text bytes.Buffer
	if err := htmlTemplate.Execute(&html, l); err != nil {
		return Mail{}, fmt.Errorf("notify: render HTML: %w", err)
	}
	if err := textTemplate.Execute(&text, l); err != nil {
		return Mail{}, fmt.Errorf("notify: render text: %w", err)
	}
	return Mail{ID: id.String(), To: to, Subject: l.Subject, Text: text.String(), HTML: html.String()}, nil
}

// oneLine keeps a name that somebody chose from breaking out of a header or
// of the line that it stands on.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}
