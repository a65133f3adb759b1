// Package standin stands in for the AWS provider in tests: it has that provider's schema and no
// cloud but a folder, so that terraform itself checks, plans and applies the module aws on a lone machine.
package standin

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

//go:embed aws.json
var reduced []byte

// Schema is the provider's schema, reduced to what the module aws uses.
type Schema struct {
	// Source, Integrity and License tell where it was read.
	Source    string `json:"source"`
	Integrity string `json:"integrity"`
	License   string `json:"license"`
	// Version is the provider's.
	Version   string           `json:"version"`
	Provider  Block            `json:"provider"`
	Resources map[string]Block `json:"resources"`
	Data      map[string]Block `json:"data"`
}

// Block is a resource, or a block inside one.
type Block struct {
	// Attributes are e.g. "required string", "optional list(string)", "computed any".
	Attributes map[string]string `json:"attributes,omitempty"`
	Blocks     map[string]Nested `json:"blocks,omitempty"`
}

// Nested is a block's place in its parent.
type Nested struct {
	// Mode is list, set or single.
	Mode string `json:"mode"`
	Min  int64  `json:"min,omitempty"`
	Max  int64  `json:"max,omitempty"`
	Block
}

// AWS is the schema that is kept with this package.
func AWS() (*Schema, error) {
	var s Schema
	if err := json.Unmarshal(reduced, &s); err != nil {
		return nil, fmt.Errorf("reading the AWS provider's schema: %w", err)
	}
	return &s, nil
}

func schemas(blocks map[string]Block) map[string]*tfprotov6.Schema {
	result := make(map[string]*tfprotov6.Schema, len(blocks))
	for name, block := range blocks {
		result[name] = block.schema()
	}
	return result
}

func (b Block) schema() *tfprotov6.Schema {
	return &tfprotov6.Schema{Block: b.protocol()}
}

func (b Block) protocol() *tfprotov6.SchemaBlock {
	result := &tfprotov6.SchemaBlock{}
	for name, text := range b.Attributes {
		use, kind, _ := strings.Cut(text, " ")
		result.Attributes = append(result.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: typeOf(kind),
			Required: use == "required", Optional: use == "optional",
			// The source does not tell which optional attributes the provider fills in itself.
			Computed: use != "required",
		})
	}
	modes := map[string]tfprotov6.SchemaNestedBlockNestingMode{
		"list":   tfprotov6.SchemaNestedBlockNestingModeList,
		"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
		"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	}
	for name, nested := range b.Blocks {
		result.BlockTypes = append(result.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: nested.protocol(), Nesting: modes[nested.Mode],
			MinItems: nested.Min, MaxItems: nested.Max,
		})
	}
	return result
}

func typeOf(kind string) tftypes.Type {
	simple := map[string]tftypes.Type{
		"string": tftypes.String, "number": tftypes.Number, "bool": tftypes.Bool,
	}
	outer, inner, nested := strings.Cut(strings.TrimSuffix(kind, ")"), "(")
	switch {
	case nested && outer == "list":
		return tftypes.List{ElementType: simple[inner]}
	case nested && outer == "set":
		return tftypes.Set{ElementType: simple[inner]}
	case nested && outer == "map":
		return tftypes.Map{ElementType: simple[inner]}
	case simple[kind] != nil:
		return simple[kind]
	}
	return tftypes.DynamicPseudoType
}
