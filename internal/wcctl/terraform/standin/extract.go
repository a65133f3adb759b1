package standin

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// What the generated classes of @cdktf/provider-aws look like, per attribute and class.
var (
	functionPattern = regexp.MustCompile(
		`(?s)\nfunction (\w+)ToHclTerraform\(struct\) \{.*?\n    const attrs = \{\n(.*?)\n    \};`)
	mainPattern = regexp.MustCompile(
		`(?s)\n    synthesizeHclAttributes\(\) \{\n        const attrs = \{\n(.*?)\n        \};`)
	entryPattern = regexp.MustCompile(
		`(?m)^ +(\w+): \{\n +value: (.*),\n +isBlock: (true|false),\n +type: "(\w+)",\n` +
			` +storageClassType: "(\w+)",\n`)
	classPattern    = regexp.MustCompile(`(?m)^class (\w+) extends cdktf\.(\w+) \{$`)
	computedPattern = regexp.MustCompile(
		`(?m)// (\w+) - computed: true, optional: false, required: false\n` +
			` +(?:get \w+\(\) \{\n +return .*?this\.get(\w+)Attribute\()?`)
	interfacePattern = regexp.MustCompile(`(?s)\nexport interface (\w+)(?: extends [\w.]+)? \{\n(.*?)\n\}`)
	memberPattern    = regexp.MustCompile(`(?s)#(\w+) \w+#\w+\}.*?\*/\n    readonly \w+(\??):`)
)

// class reads one resource, data source or provider from its compiled class and its declaration.
type class struct {
	attributes map[string]string            // entries by struct, "" for the class itself
	required   map[string]map[string]bool   // by struct
	computed   map[string]map[string]string // by struct
	name       string
}

// Extract reads the block that a class of the package describes.
func Extract(javascript, declaration string) (Block, error) {
	c := class{
		attributes: map[string]string{},
		required:   map[string]map[string]bool{},
		computed:   map[string]map[string]string{},
	}
	main := mainPattern.FindStringSubmatch(javascript)
	if main == nil {
		return Block{}, fmt.Errorf("the class has no attributes")
	}
	for _, function := range functionPattern.FindAllStringSubmatch(javascript, -1) {
		c.attributes[function[1]] = function[2]
	}
	for _, match := range interfacePattern.FindAllStringSubmatch(declaration, -1) {
		c.required[lowerFirst(match[1])] = requiredOf(match[2])
	}
	c.readClasses(javascript)
	if c.name == "" {
		return Block{}, fmt.Errorf("no class is a resource, a data source or a provider")
	}
	c.required[""] = c.required[lowerFirst(c.name)+"Config"]
	c.attributes[""] = main[1]
	return c.block("")
}

// readClasses collects what only the provider sets, class by class.
func (c *class) readClasses(javascript string) {
	found := classPattern.FindAllStringSubmatchIndex(javascript, -1)
	for i, at := range found {
		end := len(javascript)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		name, parent := javascript[at[2]:at[3]], javascript[at[4]:at[5]]
		owner := lowerFirst(strings.TrimSuffix(name, "OutputReference"))
		switch parent {
		case "TerraformResource", "TerraformDataSource", "TerraformProvider":
			c.name, owner = name, ""
		case "ComplexObject":
		default:
			continue
		}
		c.computed[owner] = map[string]string{}
		for _, match := range computedPattern.FindAllStringSubmatch(javascript[at[0]:end], -1) {
			c.computed[owner][match[1]] = "computed " + getterType(match[2])
		}
	}
}

func requiredOf(body string) map[string]bool {
	required := map[string]bool{}
	for _, member := range memberPattern.FindAllStringSubmatch(body, -1) {
		required[member[1]] = member[2] == ""
	}
	return required
}

func (c *class) block(owner string) (Block, error) {
	b := Block{Attributes: map[string]string{}, Blocks: map[string]Nested{}}
	for name, text := range c.computed[owner] {
		b.Attributes[name] = text
	}
	for _, entry := range entryPattern.FindAllStringSubmatch(c.attributes[owner], -1) {
		name, value, isBlock, mode, storage := entry[1], entry[2], entry[3] == "true", entry[4], entry[5]
		use := "optional "
		if c.required[owner][name] {
			use = "required "
		}
		mapped := strings.Contains(value, "listMapperHcl(")
		switch {
		case !isBlock:
			b.Attributes[name] = use + storageType(storage, mode)
		case mapped && !strings.Contains(value, ", true)("):
			// Objects in an attribute; the module aws uses none, so their inside is left open.
			b.Attributes[name] = use + "any"
		default:
			inner, err := c.block(lowerFirst(strings.TrimSuffix(storage, "List")))
			if err != nil {
				return Block{}, fmt.Errorf("%s: %w", name, err)
			}
			b.Blocks[name] = nest(inner, mode, mapped, use == "required ")
		}
	}
	if len(b.Attributes)+len(b.Blocks) == 0 {
		return Block{}, fmt.Errorf("block %q is empty", owner)
	}
	return b, nil
}

func nest(inner Block, mode string, mapped, required bool) Nested {
	n := Nested{Mode: mode, Block: inner}
	if mode == "struct" {
		n.Mode = "single"
		return n
	}
	if !mapped {
		n.Max = 1
	}
	if required {
		n.Min = 1
	}
	return n
}

func storageType(storage, mode string) string {
	switch {
	case strings.HasSuffix(storage, "List"):
		return mode + "(" + scalar(strings.TrimSuffix(storage, "List")) + ")"
	case strings.HasSuffix(storage, "Map"):
		return "map(" + scalar(strings.TrimSuffix(storage, "Map")) + ")"
	}
	return scalar(storage)
}

func scalar(storage string) string {
	switch storage {
	case "string", "number":
		return storage
	case "boolean":
		return "bool"
	}
	return "any"
}

// getterType reads a computed attribute's type from the getter that the class calls.
func getterType(getter string) string {
	types := map[string]string{
		"String": "string", "Number": "number", "Boolean": "bool", "List": "list(string)",
		"NumberList": "list(number)", "StringMap": "map(string)", "NumberMap": "map(number)",
	}
	if kind, ok := types[getter]; ok {
		return kind
	}
	return "any"
}

func lowerFirst(name string) string {
	r := []rune(name)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
