package httpserver_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
)

type order struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	Count    *int      `json:"count"`
	Due      time.Time `json:"due"`
	Tags     []string  `json:"tags"`
	Odd      bool      `json:"a/b"`
	Location struct {
		Lat float64 `json:"lat"`
	} `json:"location"`
}

func TestBind(t *testing.T) {
	t.Parallel()
	const (
		js        = "application/json"
		malformed = "The body is not valid JSON."
		wrongType = "A field has the wrong type."
		unknown   = "The body has an unknown field."
		two       = "There is more than one JSON value in the body."
		unread    = "A field has a value that cannot be read."
		twice     = "A field stands twice in the body."
		deep      = "The body is nested deeper than 16 levels."
	)
	wrong := func(pointer, detail string) []problem.Field {
		return []problem.Field{{Pointer: pointer, Code: "wrong_type", Detail: detail}}
	}
	strange := func(pointer string) []problem.Field {
		return []problem.Field{{Pointer: pointer, Code: "unknown_field", Detail: "is not known here"}}
	}
	doubled := []problem.Field{{Pointer: "/name", Code: "duplicate_field", Detail: "stands here twice"}}
	spaces := strings.Repeat(" ", 64<<10)
	const tooLarge = "The body is larger than 65536 bytes."
	tests := map[string]struct {
		contentType, body string
		status            int
		code, detail      string
		fields            []problem.Field
	}{
		"whole":           {js, `{"name":"a","location":{"lat":1.5}}`, 200, "", "", nil},
		"with charset":    {"application/json; charset=utf-8", `{"name":"a"}`, 200, "", "", nil},
		"space around":    {js, " \n{\"name\":\"a\"}\n", 200, "", "", nil},
		"empty":           {js, "", 400, "malformed", malformed, nil},
		"not JSON":        {js, "name=a", 400, "malformed", malformed, nil},
		"cut off":         {js, `{"name":"a`, 400, "malformed", malformed, nil},
		"two values":      {js, `{} {}`, 400, "malformed", two, nil},
		"garbage behind":  {js, `{}}`, 400, "malformed", two, nil},
		"unknown field":   {js, `{"nam":1}`, 400, "malformed", unknown, strange("/nam")},
		"unknown and odd": {js, `{"~\"/":1}`, 400, "malformed", unknown, strange(`/~0"~1`)},
		"other letters":   {js, `{"Name":"a"}`, 400, "malformed", unknown, strange("/Name")},
		"letters that fold": {
			js, `{"tagſ":[]}`, 400, "malformed", unknown, strange("/tagſ"),
		},
		"twice": {js, `{"name":"b","name":"a"}`, 400, "malformed", twice, doubled},
		"twice within": {
			js, `{"name":"a","location":{"name":1,"name":2}}`, 400, "malformed", twice, doubled,
		},
		"same name at two levels": {
			js, `{"location":{"name":1},"name":"a"}`, 400, "malformed", unknown, strange("/name"),
		},
		"same value twice": {js, `{"name":"a","tags":["name","name"]}`, 200, "", "", nil},
		"deep":             {js, strings.Repeat(`{"tags":[`, 9), 400, "malformed", deep, nil},
		"not UTF-8":        {js, "{\"name\":\"\xff\"}", 400, "malformed", "The body is not UTF-8.", nil},
		"number for string": {
			js, `{"name":5}`, 400, "malformed", wrongType,
			wrong("/name", "must be string, not number"),
		},
		"string for *int": {
			js, `{"count":"5"}`, 400, "malformed", wrongType,
			wrong("/count", "must be integer, not string"),
		},
		"fraction for int": {
			js, `{"count":1.5}`, 400, "malformed", wrongType,
			wrong("/count", "must be integer, not number 1.5"),
		},
		"object for array": {
			js, `{"tags":{}}`, 400, "malformed", wrongType,
			wrong("/tags", "must be array, not object"),
		},
		"string for object": {
			js, `{"location":""}`, 400, "malformed", wrongType,
			wrong("/location", "must be object, not string"),
		},
		"number for id": {
			js, `{"id":5}`, 400, "malformed", wrongType,
			wrong("/id", "must be string, not number"),
		},
		"number for bool": {
			js, `{"a/b":5}`, 400, "malformed", wrongType,
			wrong("/a~1b", "must be boolean, not number"),
		},
		"nested": {
			js, `{"location":{"lat":"x"}}`, 400, "malformed", wrongType,
			wrong("/location/lat", "must be number, not string"),
		},
		"array for all": {
			js, `[]`, 400, "malformed", wrongType,
			wrong("", "must be object, not array"),
		},
		"no UUID":         {js, `{"id":"5"}`, 400, "malformed", unread, nil},
		"no time":         {js, `{"due":"today"}`, 400, "malformed", unread, nil},
		"no content type": {"", `{}`, 415, "not_json", "Send the body as application/json.", nil},
		"a form": {
			"application/x-www-form-urlencoded", `{}`, 415,
			"not_json", "Send the body as application/json.", nil,
		},
		"too large":        {js, `{"name":"` + spaces + `"}`, 413, "body_too_large", tooLarge, nil},
		"too large behind": {js, `{}` + spaces, 413, "body_too_large", tooLarge, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.route("/orders", func(c *gin.Context) error {
				var o order
				if err := httpserver.Bind(c, &o); err != nil {
					return err
				}
				c.JSON(http.StatusOK, o)
				return nil
			})
			r := b.do(t, http.MethodPost, "/api/v1/demo/orders", tt.body, "Content-Type", tt.contentType)
			if tt.status == http.StatusOK {
				var o order
				if err := json.Unmarshal([]byte(r.body), &o); err != nil || o.Name != "a" {
					t.Errorf("got %+v, %v", r, err)
				}
				return
			}
			doc := document(t, r)
			if doc.Status != tt.status || doc.Code != tt.code || doc.Detail != tt.detail ||
				!reflect.DeepEqual(doc.Errors, tt.fields) {
				t.Errorf("got %+v", doc)
			}
		})
	}
}
