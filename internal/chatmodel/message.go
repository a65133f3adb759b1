package chatmodel

import (
	"encoding/base64"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"

	"github.com/wastecoach/wastecoach/internal/modelcall"
)

func messages(p modelcall.Prompt, format string) []openai.ChatCompletionMessageParamUnion {
	system := p.System
	if format != FormatSchema {
		system += "\n\n" + demand(p.Schema)
	}
	list := []openai.ChatCompletionMessageParamUnion{
		openai.SystemMessage(system), openai.UserMessage(content(p)),
	}
	if p.Repair == nil {
		return list
	}
	return append(list,
		openai.AssistantMessage(p.Repair.Answer),
		openai.UserMessage(fmt.Sprintf(
			"That answer is invalid: %s\n%s", p.Repair.Fault, demand(p.Schema))))
}

func demand(schema *modelcall.Schema) string {
	return "Answer with one JSON object and nothing else. It must match this JSON schema:\n" +
		string(schema.JSON)
}

func content(p modelcall.Prompt) []openai.ChatCompletionContentPartUnionParam {
	parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(string(p.Input))}
	if len(p.JPEG) == 0 {
		return parts
	}
	return append(parts, openai.ImageContentPart(
		openai.ChatCompletionContentPartImageImageURLParam{
			URL: "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(p.JPEG),
		}))
}

func responseFormat(
	schema *modelcall.Schema, format string,
) openai.ChatCompletionNewParamsResponseFormatUnion {
	switch format {
	case FormatSchema:
		return openai.ChatCompletionNewParamsResponseFormatUnion{
			OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
				JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
					Name: schema.Name, Schema: schema.JSON, Strict: param.NewOpt(true),
				},
			},
		}
	case FormatObject:
		return openai.ChatCompletionNewParamsResponseFormatUnion{
			OfJSONObject: &shared.ResponseFormatJSONObjectParam{},
		}
	default:
		return openai.ChatCompletionNewParamsResponseFormatUnion{}
	}
}
