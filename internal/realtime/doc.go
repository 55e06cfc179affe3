// Package realtime turns what happened into what the people who look on are
// told: deltas of an event's seats with a version, counts, and hints to one
// person that something of theirs has changed.
//
// How a map stays right. The truth changes first (a commit, a hold), then the
// seats are reported as dirty. The feed gathers an event's dirty seats for 50
// ms, takes the next version, reads their states, and publishes them:
//
//	truth changes ─▶ Dirty ─▶ 50 ms ─▶ Next: n ─▶ read states ─▶ publish n
//	snapshot:                 read n ─▶ read states
//
// A snapshot reads the version before the states. So a change that the
// snapshot does not show was made after its version was read, and its delta
// has a higher n; the client applies it. A delta that the client has got is
// absolute, so that applying what the snapshot shows already does no harm.
// Every delta moves n by exactly one, and every n that is taken is either
// published or missed: what cannot be told, because nobody was looking, the
// states were not at hand or too many seats changed, leaves a gap. A gap, a
// repeated version that is ahead of one's own, or a new epoch means the same
// to a client: fetch the snapshot again.
//
// While anybody looks on, the event's version is repeated every five seconds,
// and soon after somebody joins, so that the loss of a last message is
// noticed too.
//
// Where several processes share the engines, each takes its versions from the
// one counter and publishes what it has changed, if anybody looks on over any
// process. Versions, viewers' counts and interruptions are told by each
// process to those who are connected to it, without the network: a version
// that was read is kept for a moment first, since a delta that another process
// has just numbered may be on its way. A process that dies between a change
// and its delta leaves a version behind that nobody got, or a counter that the
// store of versions finds stale and renews; both are noticed with the next
// beat.
//
// Nothing here waits for an engine. What can't be published is told to those
// who are connected to this process, and when publishing works again the
// others are told to fetch what they show.
package realtime
