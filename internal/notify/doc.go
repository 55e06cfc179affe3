// Package notify decides who is told what over which channel, and sees to it
// that they are.
//
// What happened stands in the outbox as a fact, written in the transaction of
// the change itself. From there on:
//
//	outbox ──claim──▶ Relay ──one transaction──▶ notifications ──lease──▶ Deliverer ──▶ Sender
//	        (fair per organization)              app: sent          (fair per organization)
//	                     │                       e-mail: pending
//	                     └──after the commit──▶ Pushed: open browsers refetch the bell
//
// With a queue between them the relay's work is shared by two: a Forwarder
// leases facts and hands them to the queue, and a Teller tells those that come
// out at its other end, in whatever process.
//
//	outbox ──lease──▶ Forwarder ──confirmed──▶ queue ──▶ Teller ──one transaction──▶ notifications
//	        (fair per organization, 1,000 on the way)      └─ told, due again, or failed ─▶ outbox
//
// Messages is the pure part: a fact and what it refers to in, messages out.
//
// The relay claims facts with SKIP LOCKED, never by "id > last", because a
// transaction that began earlier may commit later. Claim, messages and the
// mark on the fact are one transaction, so a crash anywhere leaves either all
// or nothing, and a unique index on (fact, person, channel) answers for what
// is left: in the application a fact is shown at most once to a person. The
// id of a message is made from the same three, so that a mail which is sent
// twice, because its worker died between sending and saying so, carries one
// Message-ID both times. This also lets the relay commit without waiting for
// the disk: what a crash of PostgreSQL takes back is made again, the same.
//
// A fact about a whole event (it was moved, renamed) concerns everybody with
// a live booking. It is told page by page, a page a transaction, the place
// reached kept with the fact, so that it goes on where a crash stopped it.
//
// The mails of a change wait for UpdateSettle, and one is dropped when the event has
// changed again by the time it would be sent: the newest change's mail tells
// how things stand. In the bell each change has its message.
//
// Whether a mail is made at all is its person's to choose, by type, save where
// it carries a link that they need. That is decided when the fact is told. The
// bell has every message, so that each due fact is told somewhere.
//
// A fact that cannot be understood is put aside with its reason; one that the
// database refuses is tried again by itself, after pauses that grow, and put
// aside after MaxTries; a mail that cannot be delivered is tried again with
// growing pauses and given up as failed after MaxAttempts. None stands in the
// way of others, and Resend puts them back by hand.
//
// # Giving way
//
// This all shares two cores with the sale. While the allocator is busy, the
// relay and the deliverer rest after each batch for BusyRest times as long as
// the batch took, so that they take a small, fixed part of the machine, and
// the backlog drains after the rush. While bookings come one by one, they let
// a few gather, so that one caller doesn't wait for the disk behind a
// transaction about each of the last bookings. Browsers see their bookings at once all
// the same: realtime doesn't go through here.
//
// The secret of a link (confirm an address, reset a password, accept an
// invitation) is minted when its mail is sent and stands in no table or queue.
package notify
