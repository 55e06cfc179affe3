// Package booking sells the seats: bookings, the waitlist, holds, and the
// allocator through which every change of an event's seats goes.
//
// # How a seat is sold
//
//	Service.Book ─▶ queue ─▶ worker: up to 512 orders of any events
//	                            │
//	                            ▼
//	              Inventory.Decide, one order after the other, in memory
//	                            │ Changes
//	                            ▼
//	              Ledger.Commit: one round trip, one transaction
//	                 lock the events' rows in the order of their ids,
//	                 check that each has the version decided on,
//	                 write bookings, seats, history, outbox, versions
//	                            │
//	            ┌───────────────┼──────────────────────┐
//	            ▼               ▼                      ▼
//	         written       a version moved       the answer was lost
//	      settle, answer   undo, Ledger.Rework:  Rework looks under the locks:
//	                       lock, look, decide,   written: settle; not written:
//	                       write                 undo, fence, decide anew
//
// A Change is the only way in which a booking changes. The inventory applies
// and reverts it, the ledger writes it, history and outbox tell it under one
// id, and another replica catches up with it from event_changes.
//
// # What makes it right
//
// Three walls stand one behind the other: the inventory is decided on by one
// worker at a time; the version check makes a decision on an old inventory
// impossible to write, whoever decided it; and the partial unique index on
// live seats would refuse a seat sold twice even if both were wrong. The tests
// take each away and show what then goes wrong.
//
// An outcome that is unknown, because the connection ended at COMMIT, is never
// guessed: the locks wait for a transaction that is under way and show whether
// it was written; where it was not, every version moves on, so that a late one
// can't be written afterwards.
//
// # What readers see
//
// The inventory runs ahead of the database by the batch that is being written.
// Readers are shown Live, which follows after the commit. Holds are granted
// under the inventory's lock (Allocator.With), so that none lands on a seat
// that is about to be sold.
//
// # The waitlist
//
// Seats that become free go to those who wait in the same decision and the
// same transaction. Under strict nobody is overtaken; under fit the first in
// order that fits is served. A party is never split, held seats are skipped,
// and the end of a hold promotes, as does a sweep every few seconds. More
// than PromotionsPerTx promotions go on in further transactions.
//
// Idempotency keys stand with the change that they caused, in
// booking_history, unique in the database. Recent ones are in memory; a key
// that is not is looked up before any rule refuses.
package booking
