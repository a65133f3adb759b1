package spec

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
)

//go:embed starter.yaml.tmpl
var starters string

// Starter is a commented file for a target: every key with its meaning, unit and default.
func Starter(target Target, name string, releases Releases) ([]byte, error) {
	c := &Cluster{Metadata: Metadata{Name: name}, Spec: Spec{Target: target}}
	if target == AWS {
		c.Spec.AWS = &AWSTarget{}
	}
	Default(c, releases)
	all, err := template.New("starter").Option("missingkey=error").Parse(starters)
	if err != nil {
		return nil, fmt.Errorf("reading the commented file: %w", err)
	}
	var out bytes.Buffer
	data := struct {
		Name    string
		Cluster *Cluster
	}{name, c}
	if err := all.ExecuteTemplate(&out, string(target), data); err != nil {
		return nil, fmt.Errorf("writing the commented file: %w", err)
	}
	return out.Bytes(), nil
}

// CheckName tells why a name cannot be a cluster's; nil when it can.
func CheckName(name string) error {
	v := &validator{c: &Cluster{}}
	v.label("name", name, maxName)
	if len(v.faults) == 0 {
		return nil
	}
	f := v.faults[0]
	if f.Hint == "" {
		return fmt.Errorf("%s", f.Text)
	}
	return fmt.Errorf("%s: %s", f.Text, f.Hint)
}
