package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

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
func decodeJSON(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var wrongType *json.UnmarshalTypeError
	if value, ok := into.(*any); ok && errors.As(err, &wrongType) {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(value); err != nil {
			return err
		}
		*value = plainNumbers(*value)
		return nil
	}
	return err
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
