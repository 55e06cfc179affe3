// Package system tests the product as people run it: the real binary, started
// on an empty data directory, spoken to over HTTP and by its commands, and
// killed in the middle of things. It imports none of the rooms, so that what it
// shows can't depend on how they are made; what it believes of a sale it reads
// from PostgreSQL with the address that `happening db-url` prints.
//
// Every test that books ends in two judgements: `happening check`, which holds
// the database to the booking rules, and the ledger, which holds it to what the
// clients were told (C2 of docs/reliability.md).
//
// The tests read /proc and use namespaces, so they run on Linux only. Run as
// root they also show what another user sees; run as another user they show
// that user's part. TestMain builds the binary once, under the race detector
// where the tests themselves are.
package system
