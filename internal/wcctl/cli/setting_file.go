package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// setting is one value of wastecoach.yaml that wcctl changes itself: spec.BLOCK.KEY.
type setting struct{ block, key, value string }

// write changes the value in a file and nothing else of it: comments, order and spaces stay.
func (s setting) write(path string) error {
	text, err := s.edited(path)
	if err != nil {
		return err
	}
	if behind, err := filepath.EvalSymlinks(path); err == nil {
		path = behind
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := workspace.WriteFile(path, []byte(text)); err != nil {
		return err
	}
	if err := os.Chmod(path, info.Mode().Perm()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// edited is the file's text with that value.
func (s setting) edited(path string) (string, error) {
	if path == "-" {
		return "", errors.New("it comes from standard input")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return s.edit(string(text))
}

var errShape = errors.New("it is not written in a way that wcctl can change")

// edit finds the value by its place in the text, and proves the result by reading it.
func (s setting) edit(text string) (string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return "", err
	}
	if len(document.Content) != 1 {
		return "", errShape
	}
	_, settings := yamlEntry(document.Content[0], "spec")
	key, block := yamlEntry(settings, s.block)
	edited, err := text, errShape
	switch {
	case block == nil:
		if at, _ := yamlEntry(settings, "target"); at != nil {
			indent := strings.Repeat(" ", at.Column-1)
			edited, err = insertLine(text, at.Line, fmt.Sprintf("%s%s:\n%s  %s: %s", indent, s.block, indent,
				s.key, s.value))
		}
	case block.Kind == yaml.ScalarNode && block.Tag == "!!null" && block.Value == "":
		edited, err = insertLine(text, key.Line, fmt.Sprintf("%s%s: %s",
			strings.Repeat(" ", key.Column+1), s.key, s.value))
	case block.Kind == yaml.MappingNode:
		edited, err = s.editBlock(text, block)
	}
	if err != nil {
		return "", err
	}
	var result struct {
		Spec map[string]any `yaml:"spec"`
	}
	if err := yaml.Unmarshal([]byte(edited), &result); err != nil {
		return "", errShape
	}
	if found, _ := result.Spec[s.block].(map[string]any); fmt.Sprint(found[s.key]) != s.value {
		return "", errShape
	}
	return edited, nil
}

// editBlock replaces the value, or adds it before the block's first key.
func (s setting) editBlock(text string, block *yaml.Node) (string, error) {
	_, value := yamlEntry(block, s.key)
	switch {
	case value != nil && value.Kind == yaml.ScalarNode:
		old, quoted := value.Value, value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
		column := value.Column
		if quoted {
			column++
		}
		return replaceAt(text, value.Line, column, old, s.value)
	case value == nil && block.Style&yaml.FlowStyle == 0 && len(block.Content) > 0:
		first := block.Content[0]
		return insertLine(text, first.Line-1, fmt.Sprintf("%s%s: %s",
			strings.Repeat(" ", first.Column-1), s.key, s.value))
	}
	return "", errShape
}

// yamlEntry is a key of a mapping and its value; nil where there is none.
func yamlEntry(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// replaceAt replaces a word at a line and column, both from 1.
func replaceAt(text string, line, column int, old, value string) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	if line > len(lines) || column-1 > len(lines[line-1]) || !strings.HasPrefix(lines[line-1][column-1:], old) {
		return "", errShape
	}
	l := lines[line-1]
	lines[line-1] = l[:column-1] + value + l[column-1+len(old):]
	return strings.Join(lines, ""), nil
}

// insertLine adds lines after the one of that number.
func insertLine(text string, after int, added string) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	if after > len(lines) {
		return "", errShape
	}
	head := strings.Join(lines[:after], "")
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	return head + added + "\n" + strings.Join(lines[after:], ""), nil
}
