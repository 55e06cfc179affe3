package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"happening/internal/fault"
)

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// statusClientGone is what is noted of a request whose caller left before the
// answer; nobody reads it on the wire.
const statusClientGone = 499

// statusOf is the one table from a fault's kind to a status code.
var statusOf = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Malformed:       http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Stale:           http.StatusPreconditionFailed,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.MediaType:       http.StatusUnsupportedMediaType,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
}

// The faults that this room itself declares.
var (
	errInternal    = fault.New(fault.Internal, "internal", "Something went wrong on our side. Try again, and tell us the request id if it stays.")
	errMalformed   = fault.New(fault.Malformed, "malformed", "The body must be valid JSON in UTF-8, with each field once.")
	errNoBody      = fault.New(fault.Malformed, "malformed", "A JSON body is needed.")
	errTooLarge    = fault.New(fault.TooLarge, "too_large", "The body is larger than 64 kB.")
	errMediaType   = fault.New(fault.MediaType, "unsupported_media_type", "Send the body as application/json.")
	errCrossOrigin = fault.New(fault.Forbidden, "cross_origin", "This request came from another site and was refused.")
	errTooMany     = fault.New(fault.TooMany, "rate_limited", "Too many requests; wait a moment.")
	errAway        = fault.New(fault.Unavailable, "unavailable", "This can't be done right now; try again in a moment.").After(retryAway)
)

// retryAway is when to come back after an engine was found to be away.
const retryAway = 2 * time.Second

// Problem is what the API says when it refuses or fails (RFC 9457). Its type
// is always about:blank; clients branch on the code. Some codes bring more, for
// instance seat_numbers with seats_unavailable.
type Problem struct {
	_          struct{}       `additionalProperties:"true"`
	Title      string         `json:"title" doc:"The status in words." example:"Conflict"`
	Status     int            `json:"status" doc:"The HTTP status." example:"409"`
	Detail     string         `json:"detail" doc:"What happened, safe to show." example:"Some of these seats are no longer available."`
	Code       string         `json:"code" doc:"Stable; what to branch on." example:"seats_unavailable"`
	Errors     []FieldProblem `json:"errors,omitempty" doc:"What is wrong, field by field."`
	RetryAfter int            `json:"retry_after,omitempty" doc:"Seconds until another try makes sense, as in the Retry-After header."`
	extra      map[string]any
	header     http.Header
}

// FieldProblem names one bad field.
type FieldProblem struct {
	Field   string `json:"field" doc:"The field, parameter or header." example:"seats"`
	Message string `json:"message" example:"must be 1 or more"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// MarshalJSON writes the fixed members and then the code's own, in order, so
// that the same refusal is the same bytes.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	out, err := json.Marshal((*plain)(p))
	if err != nil || len(p.extra) == 0 {
		return out, err
	}
	out = out[:len(out)-1]
	for _, name := range slices.Sorted(maps.Keys(p.extra)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.extra[name])
		if err != nil {
			return nil, err
		}
		out = append(append(append(append(out, ','), key...), ':'), value...)
	}
	return append(out, '}'), nil
}

// problemOf says an error to the caller. What is no fault is logged whole and
// shown as nothing.
func problemOf(ctx context.Context, err error) *Problem {
	var done *Problem
	if errors.As(err, &done) {
		return done
	}
	c := callFrom(ctx)
	var f *fault.Error
	switch {
	case errors.As(err, &f) && f.Kind != fault.Internal:
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return &Problem{Status: statusClientGone, Title: "Client Closed Request", Code: "client_gone"}
	case errors.Is(err, context.DeadlineExceeded), c.isAway(err):
		c.logError(ctx, "an engine is away", err)
		f = errAway
	default:
		c.logError(ctx, "request failed", err)
		f = errInternal
	}
	p := &Problem{Status: statusOf[f.Kind], Detail: f.Message, Code: f.Code, extra: f.Extra}
	p.Title = http.StatusText(p.Status)
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, FieldProblem{Field: field.Name, Message: field.Message})
	}
	retry := f.RetryAfter
	if retry == 0 && f.Kind == fault.Unavailable {
		retry = retryAway
	}
	if retry > 0 {
		p.RetryAfter = int(math.Ceil(retry.Seconds()))
		p.header = http.Header{"Retry-After": {strconv.Itoa(p.RetryAfter)}}
	}
	if p.Status == http.StatusUnauthorized {
		p.header = http.Header{"Www-Authenticate": {"Bearer"}}
	}
	return p
}

// writeProblem answers with a problem outside of the routes' adapter.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	encodeJSON(w, p)
}

// problemFromHuma turns what the library finds wrong, or what a handler
// returned, into a problem.
func problemFromHuma(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	p := problemOf(ctx.Context(), faultFromHuma(status, message, errs))
	for name, values := range p.header {
		ctx.SetHeader(name, values[0])
	}
	return p
}

func faultFromHuma(status int, message string, errs []error) error {
	switch status {
	case http.StatusUnsupportedMediaType:
		return errMediaType
	case http.StatusRequestEntityTooLarge:
		return errTooLarge
	case http.StatusBadRequest:
		if len(errs) == 0 {
			return errNoBody
		}
		return errMalformed.Because(errors.Join(errs...))
	case http.StatusUnprocessableEntity:
		return invalidFrom(errs)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return errors.New("httpapi: " + message)
}

// invalidFrom tells bad input by field, in an order that doesn't depend on
// chance. An id in a path that is none names nothing: that is not found.
func invalidFrom(errs []error) error {
	var fields []fault.Field
	for _, err := range errs {
		var detail *huma.ErrorDetail
		if !errors.As(err, &detail) {
			fields = append(fields, fault.Field{Message: err.Error()})
			continue
		}
		where, name, _ := strings.Cut(detail.Location, ".")
		if where == "path" {
			return fault.ErrNotFound
		}
		if name == "" {
			name = where
		}
		f := fault.Field{Name: name, Message: detail.Message}
		if where == "query" {
			f.Message = queryMessage(f.Message)
		}
		if missing, ok := strings.CutPrefix(f.Message, missingProperty); ok {
			f = fault.Field{Name: strings.TrimPrefix(name+"."+missing, "body."), Message: "is needed"}
		}
		fields = append(fields, f)
	}
	slices.SortStableFunc(fields, func(a, b fault.Field) int { return strings.Compare(a.Name, b.Name) })
	return fault.InvalidFields(fields...)
}

// queryMessage words what the library finds wrong with a query's parameter
// before it looks at its schema.
func queryMessage(message string) string {
	switch {
	case strings.HasPrefix(message, "invalid integer"):
		return "must be a whole number"
	case strings.HasPrefix(message, "invalid boolean"):
		return "must be true or false"
	case strings.HasPrefix(message, "invalid date/time"):
		return "must be a time such as 2026-05-01T18:00:00Z"
	case strings.HasPrefix(message, "invalid value"):
		return "must be an id (a UUID)"
	}
	return message
}

// encodeJSON writes an answer that was decided on; a caller who is gone by
// now misses it.
func encodeJSON(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) == nil {
		_, _ = w.Write(b.Bytes())
	}
}
