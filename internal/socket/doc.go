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
package socket
