package spec

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// suggestKey is the hint for an unknown key: the key of the same block that is nearest, or the
// blocks that have such a key.
func suggestKey(path, key string, known map[string]int) string {
	names := slices.Sorted(maps.Keys(known))
	if near := nearest(key, names); near != "" {
		return "did you mean " + near + "?"
	}
	if homes := homesOf(key); len(homes) > 0 {
		return "did you mean " + strings.Join(homes, " or ") + "?"
	}
	if path == "" {
		return "known here: " + strings.Join(names, ", ")
	}
	return "known in " + path + ": " + strings.Join(names, ", ")
}

// nearest returns the word that differs least from typed, or nothing where none is like it.
func nearest(typed string, words []string) string {
	best, least := "", 1+max(1, len(typed)/3)
	for _, word := range words {
		if d := distance(strings.ToLower(typed), strings.ToLower(word)); d < least {
			best, least = word, d
		}
	}
	return best
}

// distance counts the letters to insert, remove or replace between a and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// homesOf returns the paths of all keys that are named key.
func homesOf(key string) []string {
	var homes []string
	walkKeys(reflect.TypeFor[Cluster](), "", func(path string) {
		if path[strings.LastIndex(path, ".")+1:] == key {
			homes = append(homes, path)
		}
	})
	return homes
}

// walkKeys visits the path of every key below t; a list's elements are written as [].
func walkKeys(t reflect.Type, path string, visit func(path string)) {
	switch t.Kind() {
	case reflect.Pointer:
		walkKeys(t.Elem(), path, visit)
	case reflect.Slice:
		walkKeys(t.Elem(), path+"[]", visit)
	case reflect.Struct:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			visit(join(path, name))
			walkKeys(t.Field(i).Type, join(path, name), visit)
		}
	default:
	}
}

// Paths are the paths of all keys, a list's elements as [].
func Paths() []string {
	var paths []string
	walkKeys(reflect.TypeFor[Cluster](), "", func(path string) { paths = append(paths, path) })
	return paths
}
