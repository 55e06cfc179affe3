package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

// missingProperty begins the message about a field that is not there, which
// the library reports at the object around it; problem.go moves it to the field.
const missingProperty = "missing "

// configureHuma sets what the library keeps for the whole process: its errors
// become our problems, names match by case, and messages are written for people
// who fill in a form.
var configureHuma = sync.OnceFunc(func() {
	huma.NewErrorWithContext = problemFromHuma
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return &Problem{Status: status, Detail: message}
	}
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
	huma.ErrorFormatter = format
	validation.MsgUnexpectedProperty = "is not a field of this"
	validation.MsgExpectedRFC3339DateTime = "must be a time such as 2026-05-01T18:00:00Z"
	validation.MsgExpectedRFC4122UUID = "must be an id (a UUID)"
	validation.MsgExpectedMatchExactlyOneSchema = "has the wrong type"
	validation.MsgExpectedMatchAtLeastOneSchema = "has the wrong type"
	validation.MsgExpectedBoolean = "must be true or false"
	validation.MsgExpectedNumber = "must be a number"
	validation.MsgExpectedInteger = "must be a whole number"
	validation.MsgExpectedString = "must be a text"
	validation.MsgExpectedArray = "must be a list"
	validation.MsgExpectedObject = "must be an object"
	validation.MsgExpectedOneOf = "must be one of %s"
	validation.MsgExpectedMinimumNumber = "must be %v or more"
	validation.MsgExpectedMaximumNumber = "must be %v or less"
	validation.MsgExpectedMinLength = "must have at least %d characters"
	validation.MsgExpectedMaxLength = "must have at most %d characters"
	validation.MsgExpectedMinItems = "must name at least %d"
	validation.MsgExpectedMaxItems = "must name at most %d"
	validation.MsgExpectedBePattern = "must be %s"
	validation.MsgExpectedRequiredProperty = missingProperty + "%s"
})

// format writes numbers as people do, not as 2.147483647e+09, and ignores what
// a message doesn't show.
func format(message string, args ...any) string {
	for i, a := range args {
		if n, ok := a.(float64); ok {
			args[i] = strconv.FormatFloat(n, 'f', -1, 64)
		}
	}
	if !bytes.ContainsRune([]byte(message), '%') {
		return message
	}
	return fmt.Sprintf(message, args...)
}

// jsonFormat is JSON as the routes read and write it.
var jsonFormat = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: decodeJSON}

// decodeJSON reads one JSON value. A number that no machine number can hold is
// out of range and not a fault of syntax, so it is read as the largest one and
// refused by the field's limits.
//
// The library reads a body twice: into any, to judge it by its schema, and then
// into the handler's type. What the decoder would guess at is refused the first
// time.
func decodeJSON(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	value, first := into.(*any)
	if !first {
		return err
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		err = d.Decode(value)
		*value = plainNumbers(*value)
	}
	if err != nil {
		return err
	}
	return unguessed(data, *value)
}

var (
	errNotUnicode = errors.New("httpapi: the body has text that is not Unicode")
	errNamedTwice = errors.New("httpapi: the body names a field twice")
)

// unguessed refuses what the decoder takes and changes: text that is not
// Unicode, for which it puts U+FFFD, and a name that stands twice in an object,
// of which it keeps the last. data is valid JSON and value what was read of it.
func unguessed(data []byte, value any) error {
	if !utf8.Valid(data) {
		return errNotUnicode
	}
	names := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case ':':
			names++
		case '"':
			length := 1
			for ; data[i+length] != '"'; length++ {
				if data[i+length] == '\\' {
					length++ // what follows ends no string
				}
			}
			if !pairedSurrogates(data[i+1 : i+length]) {
				return errNotUnicode
			}
			i += length
		}
	}
	// Every name is followed by a colon, and no other colon stands outside of
	// strings: fewer fields were read only if one took another's place.
	if names != fieldsIn(value) {
		return errNamedTwice
	}
	return nil
}

// pairedSurrogates says whether the escapes of a valid JSON string spell whole
// characters: \ud83d alone is half of one.
func pairedSurrogates(text []byte) bool {
	const escape = len(`\uXXXX`)
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		r := escaped(text[i:])
		if !utf16.IsSurrogate(r) {
			i++
			continue
		}
		if utf16.DecodeRune(r, escaped(text[i+escape:])) == unicode.ReplacementChar {
			return false
		}
		i += 2*escape - 1
	}
	return true
}

// escaped gives the UTF-16 unit that \uXXXX at the beginning of the text
// spells, 0 where something else stands.
func escaped(text []byte) rune {
	const prefix, digits = `\u`, 4
	if len(text) < len(prefix)+digits || string(text[:len(prefix)]) != prefix {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[len(prefix):len(prefix)+digits]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}

// fieldsIn counts the fields of all objects in a value.
func fieldsIn(value any) int {
	count := 0
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			count += fieldsIn(item)
		}
	case map[string]any:
		count = len(v)
		for _, field := range v {
			count += fieldsIn(field)
		}
	}
	return count
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.ParseFloat(string(v), 64)
		if err != nil && math.IsInf(n, 0) {
			return math.Copysign(math.MaxFloat64, n)
		}
		return n
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// whole is a whole number of a body. JSON knows one kind of number, so 5.0 is
// one too; the schema has refused by now what has a fraction or is too large.
type whole int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *whole) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(data), 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return fmt.Errorf("httpapi: %s is not a whole number", data)
		}
		v = int64(f)
	}
	*n = whole(v)
	return nil
}
