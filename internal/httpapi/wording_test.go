package httpapi

import (
	"encoding/json"
	"reflect"
	"testing"
)

// What the decoder would change in silence is refused; what merely looks like
// it is not.
func TestBodiesAreNotGuessedAt(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"a":1,"b":2}`:                       true,
		`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`: true,
		`{"a":"x:y \" : \\","b":"{\"a\":1}"}`: true,
		`{"a":"\\ud83d"}`:                     true, // a backslash and five letters
		`{"a":"\ud83d\ude00"}`:                true,
		`{"a":"ü €  😀"}`:                      true,
		`[{"a":1e999}]`:                       true,
		`null`:                                true,
		`{"a":1,"a":2}`:                       false,
		`{"a":1,"\u0061":2}`:                  false,
		`{"a":{"b":1,"b":1}}`:                 false,
		`[{"b":{"c":1},"b":1}]`:               false,
		`{"a":1e999,"a":2}`:                   false,
		"{\"a\":\"\xff\"}":                    false,
		"{\"\xed\xa0\x80\":1}":                false,
		`{"a":"\ud83d"}`:                      false,
		`{"a":"\ud83d "}`:                     false,
		`{"a":"\ude00\ud83d"}`:                false,
		`{"a":"\ud83d\u0041"}`:                false,
		`{"\udc00":1}`:                        false,
		`{"a":1`:                              false,
	} {
		var value any
		if err := decodeJSON([]byte(body), &value); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// What is taken is written and read again as the same.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `{"a":"\ud83d\ude00"}`, `["\\",{"":":"}]`, `{"a":1e999}`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, again any
		if decodeJSON(body, &first) != nil {
			return
		}
		raw, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeJSON(raw, &again); err != nil || !reflect.DeepEqual(first, again) {
			t.Errorf("%q is read as %v, and that as %v: %v", body, first, again, err)
		}
	})
}
