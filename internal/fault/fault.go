// Package fault says what an error is to the caller: its kind, a stable code
// and a message that is safe to show. Domain rooms declare faults, the HTTP
// room maps kinds to status codes, and everything else is an internal error
// that is logged whole and shown as nothing.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a fault; the HTTP room has one table from kind to
// status code.
type Kind int

// The kinds, with the status that the HTTP room gives them.
const (
	Internal        Kind = iota // 500: a defect or an unforeseen failure, shown as nothing
	Malformed                   // 400: the body could not be parsed
	Unauthenticated             // 401: no valid credential
	Forbidden                   // 403: known, signed in, not allowed
	NotFound                    // 404: absent or hidden; the two are never told apart
	Conflict                    // 409: the state of things forbids it
	Stale                       // 412: If-Match names an older revision
	TooLarge                    // 413: the body exceeds its limit
	MediaType                   // 415: the content type is not understood
	Invalid                     // 422: type, range, unknown field, told by field
	TooMany                     // 429: a limit, with RetryAfter
	Unavailable                 // 503: an engine that the call needs is away, with RetryAfter
)

// Field names one bad input field and says what is wrong with it.
type Field struct {
	Name    string
	Message string
}

// Error is a fault. The zero value of every field but Kind, Code and Message
// may be left out.
type Error struct {
	Kind    Kind
	Code    string // stable, snake_case, what clients branch on
	Message string // safe to show
	Fields  []Field
	// RetryAfter tells when another try makes sense; zero where it never does.
	RetryAfter time.Duration
	// Extra is shown beside code and message, for instance the seats that
	// were not available.
	Extra map[string]any
	cause error
}

// New makes a fault with a stable code and a message that is safe to show.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error gives code and message, followed by the inner cause for the log.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return e.Code + ": " + e.Message
}

// Unwrap gives the inner cause, which is never shown to a caller.
func (e *Error) Unwrap() error { return e.cause }

// Is makes faults with one code equal to errors.Is, whatever they carry.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code && other.Kind == e.Kind
}

// With returns a copy that shows one more fact beside code and message.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Extra = make(map[string]any, len(e.Extra)+1)
	for k, v := range e.Extra {
		c.Extra[k] = v
	}
	c.Extra[name] = value
	return &c
}

// After returns a copy that tells when another try makes sense.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Because returns a copy that carries the inner cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// InvalidFields makes the fault for bad input, told by field.
func InvalidFields(fields ...Field) *Error {
	return &Error{Kind: Invalid, Code: "invalid", Message: "Some fields are not valid.", Fields: fields}
}

// ErrNotFound is the one answer for what is absent and for what is hidden.
var ErrNotFound = New(NotFound, "not_found", "There is no such thing, or you may not see it.")

// ErrUnauthenticated asks to sign in.
var ErrUnauthenticated = New(Unauthenticated, "unauthenticated", "Sign in to do this.")

// ErrForbidden says that the role does not allow it.
var ErrForbidden = New(Forbidden, "forbidden", "Your role does not allow this.")
