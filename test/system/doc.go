// Package system tests the product as people run it: the real binary, started
// on an empty data directory, spoken to over HTTP and by its commands, and
// killed in the middle of things. What they
// share stands in the package house: how the product is started, spoken to and
// judged.
//
// Every test that books ends in three judgements: `happening check`, which holds
// the database to the booking rules; the ledger, which holds it to what the
// clients were told (C2 of docs/reliability.md); and the histories, which look for
// an order of all that they were told of each seat.
//
// Without a tag the product runs on its embedded engines, with the tag `engines`
// on those outside that the environment names. The same tests pass on both; what
// is about the embedded PostgreSQL itself (start_test.go, postgres_test.go) is
// built without the tag only.
//
// The tests run on Linux only. Run as root they also show what another user
// sees; run as another user they show that user's part. TestMain builds the
// binary once, under the race detector where the tests themselves are.
package system
