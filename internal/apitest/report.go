package apitest

import (
	"fmt"
	"net/http"
	"strings"

	faults "github.com/pb33f/libopenapi-validator/errors"
)

// maxShown bounds the part of a body that a failure shows.
const maxShown = 2 << 10

// exchange is a request that was answered.
type exchange struct {
	request  *http.Request
	response *http.Response
	body     []byte
}

// report is the message of a failed test.
func (e exchange) report(found []string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s answered %d, against the document:\n",
		e.request.Method, e.request.URL.Path, e.response.StatusCode)
	for _, fault := range found {
		fmt.Fprintf(&out, "  - %s\n", fault)
	}
	shown := e.body
	if len(shown) > maxShown {
		shown = shown[:maxShown]
	}
	fmt.Fprintf(&out, "answer: %s %s", e.response.Header.Get("Content-Type"), shown)
	return out.String()
}

// describe turns the validator's findings into one line each.
func (c *Contract) describe(found []*faults.ValidationError) []string {
	var lines []string
	for _, fault := range found {
		if undeclaredHeader(fault) || c.nameInOpenMap(fault) {
			continue
		}
		if len(fault.SchemaValidationErrors) == 0 {
			lines = append(lines, fmt.Sprintf("%s: %s%s",
				fault.Message, fault.Reason, documentLine(fault.SpecLine)))
		}
		for _, schema := range fault.SchemaValidationErrors {
			where := schema.FieldPath
			if where == "" {
				where = fault.ParameterName
			}
			lines = append(lines, fmt.Sprintf("%s: %s %s (rule %s)%s", fault.Message, where,
				schema.Reason, schema.KeywordLocation, documentLine(fault.SpecLine)))
		}
	}
	return lines
}

// undeclaredHeader finds what strictness reports about headers and cookies: proxies and clients
// may always add some.
func undeclaredHeader(fault *faults.ValidationError) bool {
	return fault.ValidationType == faults.StrictValidationType &&
		(fault.ValidationSubType == faults.StrictSubTypeHeader ||
			fault.ValidationSubType == faults.StrictSubTypeCookie)
}

// nameInOpenMap finds what strictness reports although the document says additionalProperties.
func (c *Contract) nameInOpenMap(fault *faults.ValidationError) bool {
	return fault.ValidationType == faults.StrictValidationType &&
		fault.ValidationSubType == faults.StrictSubTypeProperty &&
		c.openMaps[position{fault.SpecLine, fault.SpecCol}]
}

func documentLine(line int) string {
	if line <= 0 {
		return ""
	}
	return fmt.Sprintf(" (document line %d)", line)
}
