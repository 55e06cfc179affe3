package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"happening/internal/fault"
)

// router finds the handler of a path. http.ServeMux refuses the contract's
// paths, since /bookings/user/{userId} and /bookings/{id}/history both match
// /bookings/user/history; here a literal segment goes before a parameter. It
// never redirects, which under /api would lead elsewhere, and answers what it
// doesn't know with a problem.
type router struct{ root node }

// node is a position in a path.
type node struct {
	literal map[string]*node
	param   *node
	methods map[string]*leaf
}

// leaf is where a path ends for one method.
type leaf struct {
	pattern string   // without the method, for metrics
	names   []string // of the parameters, in order
	handle  http.HandlerFunc
}

// maxSegments bounds the path that is looked at; no route is that deep.
const maxSegments = 8

// HandleFunc adds a route, written "METHOD /path/{name}".
func (rt *router) HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request)) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		panic("httpapi: a route needs a method: " + pattern)
	}
	at, l := &rt.root, &leaf{pattern: path, handle: handle}
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			l.names = append(l.names, strings.TrimSuffix(name, "}"))
			if at.param == nil {
				at.param = &node{}
			}
			at = at.param
			continue
		}
		if at.literal == nil {
			at.literal = map[string]*node{}
		}
		if at.literal[segment] == nil {
			at.literal[segment] = &node{}
		}
		at = at.literal[segment]
	}
	if at.methods == nil {
		at.methods = map[string]*leaf{}
	}
	if at.methods[method] != nil {
		panic("httpapi: two routes at " + pattern)
	}
	at.methods[method] = l
}

// before puts a handler before that of a route, which it is given.
func (rt *router) before(method, path string, put func(http.HandlerFunc) http.HandlerFunc) {
	var values [maxSegments]string
	at, _ := rt.root.find(strings.TrimPrefix(path, "/"), &values, 0)
	if at == nil || at.methods[method] == nil {
		panic("httpapi: no route at " + method + " " + path)
	}
	l := at.methods[method]
	l.handle = put(l.handle)
}

// ServeHTTP calls the route's handler with the parameters as path values.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var values [maxSegments]string
	at, count := rt.root.find(strings.TrimPrefix(r.URL.Path, "/"), &values, 0)
	if at == nil {
		writeProblem(w, r, fault.ErrNotFound)
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	l := at.methods[method]
	if l == nil {
		notAllowed(w, r, at)
		return
	}
	for i, name := range l.names[:min(count, len(l.names))] {
		r.SetPathValue(name, values[i])
	}
	r.Pattern = r.Method + " " + l.pattern
	l.handle(w, r)
}

// find walks down a path, literal segments first, and gives the node where it
// ends, nil where there is none.
func (n *node) find(path string, values *[maxSegments]string, count int) (*node, int) {
	segment, rest, more := strings.Cut(path, "/")
	if next := n.literal[segment]; next != nil {
		if at, c := next.after(rest, more, values, count); at != nil {
			return at, c
		}
	}
	if n.param != nil && segment != "" && count < maxSegments {
		values[count] = segment
		return n.param.after(rest, more, values, count+1)
	}
	return nil, 0
}

func (n *node) after(rest string, more bool, values *[maxSegments]string, count int) (*node, int) {
	switch {
	case more:
		return n.find(rest, values, count)
	case n.methods != nil:
		return n, count
	}
	return nil, 0
}

// notAllowed says to which methods a known path answers.
func notAllowed(w http.ResponseWriter, r *http.Request, at *node) {
	var allowed []string
	for method := range at.methods {
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, r, &Problem{
		Status: http.StatusMethodNotAllowed, Title: http.StatusText(http.StatusMethodNotAllowed),
		Code: "method_not_allowed", Detail: "This path answers to " + strings.Join(allowed, ", ") + ".",
	})
}
