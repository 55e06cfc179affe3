// Package memory coordinates one process without an engine beside it: holds,
// live versions, the double-submit lock and rate limits. It is the twin of the
// Redis adapter; what it keeps is lost with the process, which loses holds and
// nothing else.
//
// Nothing in here reads the machine's clock. Whoever constructs a part hands
// it the clock, so that tests and the offset to the database's clock apply.
package memory
