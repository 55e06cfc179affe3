// Package redis shares between processes what memory keeps in one: holds, live
// versions, limits, the double-submit lock and who looks on, with a mirror of
// each event's counter and waitlist for others to read. It never decides a
// sale; all of it may be lost, and with it holds and nothing else.
//
// # Keys
//
// The braces are written: all keys of one event lie in one slot of a cluster.
// Every key but happening:store has an end, which use moves on.
//
//	event:{E}:holds     hash: seat → holder, end and beginning in milliseconds
//	event:{E}:people    hash: holder → pins, seats, ages of ended holds (msgpack)
//	event:{E}:due       sorted: holder → when the clock next changes something
//	event:{E}:touched   sorted: seat → revision of its last change
//	event:{E}:live      hash: epoch, n, sale version, revision of the holds
//	event:{E}:slots     the counter; event:{E}:waitlist: list of people
//	event:{E}:viewers   sorted: who looks on → until when that counts
//	booking:{E}:USER    the double-submit lock
//	holding:USER        sorted: events at which the person holds seats
//	listening:USER      there while the person is connected, and a little longer
//	holds:due           sorted: event → when somebody should end holds there
//	limit:NAME:KEY      a bucket of a rate limit
//	happening:store     the name of this database, see Identity
//	happening:mirrored  how far all events were compared with the mirror
//	happening:pulse     written to see whether Redis takes writes
//
// # How holds end
//
// Every script first applies what the clock brought, which costs one look while
// nothing is due, and answers what ended, so that exactly one process tells of
// it. Events stand in holds:due; every process's Run claims those whose time
// has come. Redis's clock runs the holds.
//
// # How a view stays cheap
//
// Changes of the holds are numbered. A process that knows a revision is sent
// the seats that were touched since; an unchanged event costs one small script,
// and all events of a batch are asked in one round trip. What was learnt before
// a connection was made is not trusted after it: it may lead to another server.
//
// # When an epoch ends
//
// A watcher counts n and can't see what is missing without it. So a new epoch
// begins, and everybody fetches the map again, when the server is another one
// or went back in time; when a sale version is skipped and does not arrive
// within GapPatience; and when a process changed something (Place, Settle, an
// end) and has not told of it (Next) within Stale.
//
// # Away
//
// Every call is bounded. After one that failed calls fail at once, while one
// goroutine looks whether Redis is back; see outage.go.
package redis
