package httpserver

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/problem"
)

var (
	errMalformed = problem.New(problem.Malformed, "malformed", "The body is not valid JSON.")
	errTooLarge  = problem.New(problem.TooLarge, "body_too_large", "The body is too large.")
	errNotJSON   = problem.New(
		problem.UnsupportedType, "not_json", "Send the body as application/json.",
	)
)

// Bind reads the body as one strict JSON value: unknown and doubled fields are errors.
func Bind(c *gin.Context, into any) error {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || media != "application/json" {
		return errNotJSON
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return bindError(err)
	}
	if err := checkShape(body); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return bindError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errMalformed.Detailf("There is more than one JSON value in the body.")
	}
	return nil
}

func bindError(err error) error {
	var (
		tooLarge *http.MaxBytesError
		wrong    *json.UnmarshalTypeError
		syntax   *json.SyntaxError
	)
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge.Detailf("The body is larger than %d bytes.", tooLarge.Limit)
	case errors.As(err, &wrong):
		return errMalformed.Detailf("A field has the wrong type.").WithFields(problem.Field{
			Pointer: pointer(wrong.Field),
			Code:    "wrong_type",
			Detail:  fmt.Sprintf("must be %s, not %s", jsonType(wrong.Type), wrong.Value),
		})
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		// The decoder tells the name only: of a field inside an object the pointer has no parents.
		name := strings.TrimPrefix(err.Error(), "json: unknown field ")
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
		return unknownField(name)
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errMalformed.Because(err)
	default: // valid JSON that a field's own UnmarshalText refuses
		return errMalformed.Detailf("A field has a value that cannot be read.").Because(err)
	}
}

// escape is what RFC 6901 asks of a name in a pointer.
var escape = strings.NewReplacer("~", "~0", "/", "~1")

// pointer turns the decoder's dotted path into a JSON pointer; the whole body's is empty.
func pointer(path string) string {
	if path == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(escape.Replace(path), ".", "/")
}

// jsonType names a Go type as clients know it.
func jsonType(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "string" // a UUID is an array only in Go
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	default:
		return "integer"
	}
}
