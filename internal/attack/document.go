package attack

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// object is a part of a document as it was decoded.
type object = map[string]any

// document is one OpenAPI document.
type document struct{ root object }

// operation is one method of one path.
type operation struct {
	document
	method string
	// path has the server's prefix, and its parameters in braces.
	path string
	// taken are the methods that the path has.
	taken      []string
	secured    bool
	parameters []parameter
	// body is nil where none is taken.
	body object
}

type parameter struct {
	name, in string
	required bool
	schema   object
}

var methods = []string{"get", "post", "put", "patch", "delete", "head", "options"}

func parse(source []byte) ([]operation, error) {
	var d document
	if err := json.Unmarshal(source, &d.root); err != nil {
		return nil, fmt.Errorf("reading a document: %w", err)
	}
	base := ""
	if servers, _ := d.root["servers"].([]any); len(servers) > 0 {
		address, _ := d.resolve(servers[0])["url"].(string)
		parsed, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("reading a server's address: %w", err)
		}
		base = strings.TrimSuffix(parsed.Path, "/")
	}
	paths, _ := d.root["paths"].(object)
	var all []operation
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := d.resolve(paths[path])
		var taken []string
		for method := range item {
			taken = append(taken, strings.ToUpper(method))
		}
		for _, method := range methods {
			if op, ok := item[method].(object); ok {
				o := d.operation(base+path, method, item, op)
				o.taken = taken
				all = append(all, o)
			}
		}
	}
	return all, nil
}

func (d document) operation(path, method string, item, op object) operation {
	o := operation{document: d, method: strings.ToUpper(method), path: path}
	security, ok := op["security"].([]any)
	if !ok {
		security, _ = d.root["security"].([]any)
	}
	o.secured = len(security) > 0
	for _, list := range []any{item["parameters"], op["parameters"]} {
		list, _ := list.([]any)
		for _, p := range list {
			p := d.resolve(p)
			name, _ := p["name"].(string)
			in, _ := p["in"].(string)
			required, _ := p["required"].(bool)
			o.parameters = append(o.parameters, parameter{name, in, required, d.resolve(p["schema"])})
		}
	}
	content, _ := d.resolve(op["requestBody"])["content"].(object)
	if media, ok := content["application/json"]; ok {
		o.body = d.resolve(d.resolve(media)["schema"])
	}
	return o
}

// resolve follows references; what is no object becomes an empty one.
func (d document) resolve(v any) object {
	m, _ := v.(object)
	for range 10 { // a chain of references this long is a ring
		reference, ok := m["$ref"].(string)
		if !ok {
			break
		}
		var at any = d.root
		for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
			within, _ := at.(object)
			at = within[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
		}
		m, _ = at.(object)
	}
	if m == nil {
		return object{}
	}
	return m
}
