package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
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

// Bind reads the body as one strict JSON value: unknown fields are errors.
func Bind(c *gin.Context, into any) error {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || media != "application/json" {
		return errNotJSON
	}
	decoder := json.NewDecoder(c.Request.Body)
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
	)
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge.Detailf("The body is larger than %d bytes.", tooLarge.Limit)
	case errors.As(err, &wrong):
		return errMalformed.Detailf("A field has the wrong type.").WithFields(problem.Field{
			Pointer: "/" + strings.ReplaceAll(wrong.Field, ".", "/"),
			Code:    "wrong_type",
			Detail:  fmt.Sprintf("must be %s, not %s", wrong.Type, wrong.Value),
		})
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		name := strings.Trim(strings.TrimPrefix(err.Error(), "json: unknown field "), `"`)
		return errMalformed.Detailf("The body has an unknown field.").WithFields(problem.Field{
			Pointer: "/" + name, Code: "unknown_field", Detail: "is not known here",
		})
	default:
		return errMalformed.Because(err)
	}
}
