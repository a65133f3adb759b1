package attack

import (
	"path"
	"strings"
	"sync"
)

// things are the ids that answers gave: what requests can name so that they reach something.
type things struct {
	mu sync.Mutex
	// at has the last id that a collection's path gave, called the last that had this name.
	at, called map[string]string
}

func newThings() *things { return &things{at: map[string]string{}, called: map[string]string{}} }

// gather remembers the ids in an answer of op. The last one of a list is the oldest, which has come
// furthest; what a POST just made counts only where there is no list.
func (o *things) gather(op operation, answer any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	walk("", answer, func(name, text string) {
		if strings.HasSuffix(name, "_id") {
			o.called[name] = text
		}
	})
	top, _ := answer.(object)
	for _, v := range top {
		list, _ := v.([]any)
		for _, item := range list {
			item, _ := item.(object)
			if id, ok := item["id"].(string); ok {
				o.at[op.path] = id
			}
		}
	}
	if id, ok := top["id"].(string); ok && o.at[op.path] == "" {
		o.at[op.path] = id
	}
}

func (o *things) named(name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.called[name]
}

// below returns an id for the parameter after prefix, e.g. one of the sessions for /auth/sessions/.
func (o *things) below(prefix, name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	prefix = strings.TrimSuffix(prefix, "/")
	if id := o.at[prefix]; id != "" {
		return id
	}
	if id := o.at[path.Join(prefix, name+"s")]; id != "" {
		return id // e.g. of /auth/providers for /auth/{provider}
	}
	for collection, id := range o.at {
		if path.Dir(collection) == prefix {
			return id // e.g. of /locations/nearby for /locations/{id}
		}
	}
	return ""
}

// walk calls visit with each text in a decoded JSON value and the name of its property.
func walk(name string, v any, visit func(name, text string)) {
	switch v := v.(type) {
	case string:
		visit(name, v)
	case []any:
		for _, item := range v {
			walk(name, item, visit)
		}
	case object:
		for name, item := range v {
			walk(name, item, visit)
		}
	}
}
