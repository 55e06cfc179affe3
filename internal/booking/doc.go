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
// # What is refused before the queue
//
// At a sold-out event nearly every order is refused, and a batch of its own
// would hold up everybody else's sales. An order that on what readers are shown
// looks as if it can only be refused is therefore decided beside the worker
// (refuse.go), by the same Inventory.Decide, on an inventory with nothing
// undecided in it: a refusal that rested on a sale that fails to be written
// would be one that was never true.
//
//	Do ─ hopeless? ─▶ refuse: look at the holds, decide, take back what would
//	        │            │    be served; then one read for up to 512 orders:
//	        │            │    has a key been used, has an event moved on
//	        │ no         ├──▶ refused, or answered from its key
//	        ▼            ▼ in doubt
//	      queue ◀────────┘
//
// In doubt is: not in memory, a batch under way at the event, a newer version
// heard of, the holds not to be read, not refused after all, moved on. What the
// worker itself refuses has its keys looked up by the same reads, and the worker
// goes on meanwhile. See docs/adr/0021-refused-before-the-queue.md.
//
// Who would have to wait for long in the queue is not let in (admit.go): beyond
// capacity the answer is ErrBusy, at once, and those inside are served in time.
// The front door asks first (Crowded), so that a crowd is neither recognized nor
// read. See docs/adr/0025-at-the-door.md.
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
// Readers are shown Live, which follows after the commit. A hold is granted by
// the holds' store outside of all locks, between two looks under the
// inventory's: the second finds a seat whose sale was decided meanwhile, and
// the store itself refuses a look that is older than the last sale it was told
// of.
//
// # Several processes
//
// Each process has inventories of its own, and any of them may be old. What is
// written is safe from that by the version check. What is not written is made
// safe, so that a request that begins after another was answered, by whichever
// process, is answered in the knowledge of it:
//
//	a refusal       A write that passes proves the refusals of its batch. A batch
//	                that writes nothing is held against PostgreSQL's versions,
//	                one read for up to 512 orders (Ledger.Prove); where an event
//	                has moved on, its orders are decided anew under the lock.
//	who may book    is checked on what is in memory; an order says so (Book.Open),
//	                and its access is checked anew where the event is not open any
//	                more when the order is decided.
//	reading         asks the coordinator for the newest version that was settled
//	                (WithNewest) and reads on from event_changes where this
//	                process is behind (CatchUp). Where the coordinator is away
//	                PostgreSQL is asked. A map that shows a version which the
//	                coordinator does not know yet tells it first: else the next
//	                map, of another process, would show less.
//	what is told    Heard marks an event as behind, Follow compares everything in
//	                memory with PostgreSQL every two seconds: so old is the oldest
//	                answer, whoever is away.
//
// A version comes to the coordinator after the commit and before the answer
// (HoldStore.Settle). It only ever saves work: a version that is newer than the
// inventory sends the batch to the locks at once, and one that PostgreSQL turns
// out not to have is remembered as a lie and ignored.
//
// An event at which another process was found to sell is locked before it is
// decided on, for a few batches: two processes that write optimistically would
// take turns in failing.
//
// Ids of changes rise from version to version, whatever the processes' clocks
// say, because the newest one travels with the changes (IDTick).
//
// # The waitlist
//
// Seats that become free go to those who wait in the same decision and the
// same transaction. Under strict nobody is overtaken; under fit the first in
// order that fits is served. A party is never split, held seats are skipped,
// and the end of a hold promotes, as does a sweep every few seconds. More
// than PromotionsPerTx promotions go on in further transactions, as do the
// closings of a cancelled event: between them all others go first (DoPatiently),
// and where the process dies the sweep of another goes on. Parties that a
// lowered capacity has overtaken are closed in the same way; they leave the line
// at once (Inventory.overtaken), so that they are in nobody's way. A party may
// shrink and keeps its number. No more join than the event's limit lets, and
// who waits stays when it is lowered.
//
// Those who run the event may serve a party out of its turn (PromoteByHand),
// put one on other seats (Move), and book for somebody else by their address
// (BookFor). The rules of seats hold for them, too; what they do for and to
// others stands in the organization's record, in the transaction of the change.
// See docs/adr/0018-by-hand.md and 0020-booked-for-somebody.md.
//
// They also take seats off sale and lay the house out anew (Block, Arrange), as
// edits of the event: alone, under the lock. How the seats lie decides which are
// together; what is off sale is neither sold nor held nor given to who waits. See
// docs/adr/0019-house.md.
//
// Idempotency keys stand with the change that they caused, in
// booking_history, unique in the database. Recent ones are in memory; a key
// that is not is looked up before a refusal is answered.
package booking
