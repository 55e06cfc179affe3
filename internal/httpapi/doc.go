// Package httpapi is the house's front door: the API, the client's files with
// the heads of public pages, and the operators' address.
//
// A request to the API passes, in this order:
//
//	request id, headers → socket and sign-in leave here, counted
//	→ to book and to cancel: the door, where a crowd is turned away unread (503) → who asks (401; 429 unasked, after many wrong ones)
//	→ foreign origin (403) → how often (429)
//	→ who may send a picture (401, 403, 404) → room for the body (429, 503) → body read (413)
//	→ route (404, 405) → visitors refused (401, 404)
//	→ decoded and validated (400, 415, 422) → use case → answer or problem
//
// The table of routes (routes.go) is the only place where a path is written.
// Each route names the action of the access table that it does; the use case
// decides, since only it knows the thing. Errors become problems in one place
// (problem.go): the rooms say what is wrong, this one says with which status.
// The OpenAPI document is made from the same table and the Go types of bodies
// and answers, so that it can't promise what isn't there.
package httpapi
