package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const workersKey = "workers"

// writeWorkers changes the number of workers in wastecoach.yaml and nothing else of it: comments,
// order and spaces stay.
func writeWorkers(path string, target spec.Target, count int) error {
	text, err := editedWorkers(path, target, count)
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

// editedWorkers is the file's text with that number of workers.
func editedWorkers(path string, target spec.Target, count int) (string, error) {
	refuse := func(cause error) error {
		return &Error{
			Op: "changing the number of workers in " + path, Cause: cause,
			Hint: fmt.Sprintf("write spec.%s.%s: %d into it by hand, then: wcctl up", target, workersKey, count),
		}
	}
	if path == "-" {
		return "", refuse(errors.New("it comes from standard input"))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", refuse(err)
	}
	edited, err := editWorkers(string(text), target, count)
	if err != nil {
		return "", refuse(err)
	}
	return edited, nil
}

var errShape = errors.New("it is not written in a way that wcctl can change")

// editWorkers finds the number by its place in the text, and proves the result by reading it.
func editWorkers(text string, target spec.Target, count int) (string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return "", err
	}
	if len(document.Content) != 1 {
		return "", errShape
	}
	_, settings := yamlEntry(document.Content[0], "spec")
	key, block := yamlEntry(settings, string(target))
	edited, err := text, errShape
	switch {
	case block == nil:
		if at, _ := yamlEntry(settings, "target"); at != nil {
			indent := strings.Repeat(" ", at.Column-1)
			edited, err = insertLine(text, at.Line, fmt.Sprintf("%s%s:\n%s  %s: %d", indent, target, indent,
				workersKey, count))
		}
	case block.Kind == yaml.ScalarNode && block.Tag == "!!null" && block.Value == "":
		edited, err = insertLine(text, key.Line, fmt.Sprintf("%s%s: %d",
			strings.Repeat(" ", key.Column+1), workersKey, count))
	case block.Kind == yaml.MappingNode:
		edited, err = editBlock(text, block, count)
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
	if found, _ := result.Spec[string(target)].(map[string]any); found[workersKey] != count {
		return "", errShape
	}
	return edited, nil
}

// editBlock replaces the number, or adds it before the block's first key.
func editBlock(text string, block *yaml.Node, count int) (string, error) {
	_, value := yamlEntry(block, workersKey)
	switch {
	case value != nil && value.Kind == yaml.ScalarNode:
		return replaceAt(text, value.Line, value.Column, value.Value, strconv.Itoa(count))
	case value == nil && block.Style&yaml.FlowStyle == 0 && len(block.Content) > 0:
		first := block.Content[0]
		return insertLine(text, first.Line-1, fmt.Sprintf("%s%s: %d",
			strings.Repeat(" ", first.Column-1), workersKey, count))
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
