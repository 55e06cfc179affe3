// Package socket is the centrifuge node: it lets browsers and scripts listen
// to live messages over a WebSocket.
//
// Who connects is identified once, and what they listen to is checked when
// they subscribe. Neither is believed for long: both are asked again every few
// seconds, so that access that ends also ends on open connections. When the
// answer cannot be had, access ends too.
//
//	upgrade ── Origin ── connect ── Identify ──▶ connected ── MayWatch ──▶ subscribed
//	                                                 ▲  └─ asked again ─▶ disconnected
//	                                                 └──── asked again ─▶ unsubscribed
//
// Clients only listen. They cannot publish, and nobody is told who else
// listens, only how many.
//
// Several processes are one through RedisEngine: a message that one publishes
// reaches the clients of all, a client that was cut off recovers at another
// process what it missed, and what ends at one ends at all. Each node speaks
// to itself through the engine, so that it notices when it has gone deaf.
//
//	publish ─▶ within a bound ─▶ Redis ─▶ order of versions ─▶ clients
//	              └─ away: fail at once         ▲
//	probe, each second ─▶ Redis ─▶ heard? ──────┘
//	              └─ heard again: all clients subscribe again
//
// A subscription that is made while Redis is away gets a position which no
// stream has. So it holds, and the first message after the outage makes the
// client subscribe anew, if the node has not asked it to already.
package socket
