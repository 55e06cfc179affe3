// Package rabbitmq carries facts from the outbox to those who tell them, over
// a queue of RabbitMQ. It is the other way beside claiming them from the
// outbox, and both may be in use at once.
//
//	outbox ──lease──▶ notify.Forwarder ──publish, confirmed──▶ notifications ──▶ consumer ──▶ notify.Teller
//	   ▲                                                        │ (quorum queue)                  │
//	   │                                                        ▼ given up                        │
//	   │                                                notifications.dead                        │
//	   └────────── told, failed, or due again ◀──────────────────────────────────────────────────┘
//
// PostgreSQL stays the truth: a message names a fact and says nothing else.
// Whatever is lost, doubled or delayed on the way, the mark on the fact
// decides whether anything is left to tell. So a consumer acknowledges after
// the commit, and what is delivered again is recognized.
//
// A fact that fails goes back to the outbox with the time of its next try and
// its message is acknowledged, so that it takes no place of the prefetch while
// it waits. A fact that kills its worker is delivered again by the broker, at
// most MaxDeliveries times in all; it is then told by itself and each try is
// counted before it begins. Either way the last try ends in notifications.dead
// and the fact is failed in the outbox, from where it is sent again by hand.
//
// Each installation should have a vhost of its own. Where two share one by
// mistake, a message says whose it is, and what is another's is put back for
// it; see foreign.go.
//
// # Connections
//
// There are two, since a broker that is short of memory or disk stops reading
// from connections that publish, and acknowledgements must still reach it.
// Each is kept up by a loop of its own that dials, declares the queues, works
// until something fails, and begins anew after a pause that grows. The
// library's recovery is not used; see docs/adr/0011-rabbitmq.md.
package rabbitmq
