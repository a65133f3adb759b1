// Package chatmodel asks any endpoint that speaks OpenAI's chat completions.
package chatmodel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/wastecoach/wastecoach/internal/modelcall"
)

// maxResponse is far above any valid answer; a larger body is a broken or hostile endpoint.
const maxResponse = 4 << 20

// Formats of the answer that an endpoint can be asked for.
const (
	FormatSchema = "json_schema"
	FormatObject = "json_object"
	FormatText   = "text"
)

// Config names an endpoint.
type Config struct {
	BaseURL         string
	Model           string
	APIKey          string
	Format          string
	MaxOutputTokens int64
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// Model is a modelcall.Model on the wire. It makes exactly one request per Complete.
type Model struct {
	cfg  Config
	chat openai.ChatCompletionService
}

// New checks cfg and returns a Model.
func New(cfg Config) (*Model, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("model base URL %q is not an http or https URL", cfg.BaseURL)
	}
	if cfg.Model == "" {
		return nil, errors.New("model name is empty")
	}
	switch cfg.Format {
	case FormatSchema, FormatObject, FormatText:
	default:
		return nil, fmt.Errorf("answer format %q is unknown", cfg.Format)
	}
	options := []option.RequestOption{
		option.WithBaseURL(cfg.BaseURL),
		option.WithHTTPClient(newHTTPClient(cfg.Transport)),
		// Retries have one owner, the queue; the SDK's own would multiply with them.
		option.WithMaxRetries(0),
	}
	if cfg.APIKey != "" {
		options = append(options, option.WithAPIKey(cfg.APIKey))
	}
	// The service, unlike openai.NewClient, reads no OPENAI_ variables behind the configuration.
	return &Model{cfg: cfg, chat: openai.NewChatCompletionService(options...)}, nil
}

// Complete makes one request; every error is a *modelcall.Error or the context's.
func (m *Model) Complete(
	ctx context.Context, p modelcall.Prompt,
) (modelcall.Completion, error) {
	var response *http.Response
	options := append(headers(p), option.WithResponseInto(&response))
	answer, err := m.chat.New(ctx, m.params(p), options...)
	if err != nil {
		return modelcall.Completion{}, fault(ctx, response, err)
	}
	return read(answer)
}

func headers(p modelcall.Prompt) []option.RequestOption {
	var options []option.RequestOption
	if key := p.IdempotencyKey(); key != "" {
		options = append(options, option.WithHeader("Idempotency-Key", key))
	}
	if p.RequestID != "" {
		options = append(options, option.WithHeader("X-Request-Id", p.RequestID))
	}
	return options
}

func (m *Model) params(p modelcall.Prompt) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:               m.cfg.Model,
		Messages:            messages(p, m.cfg.Format),
		ResponseFormat:      responseFormat(p.Schema, m.cfg.Format),
		MaxCompletionTokens: param.NewOpt(m.cfg.MaxOutputTokens),
	}
}

func read(answer *openai.ChatCompletion) (modelcall.Completion, error) {
	completion := modelcall.Completion{Usage: modelcall.Usage{
		InputTokens:  answer.Usage.PromptTokens,
		OutputTokens: answer.Usage.CompletionTokens,
	}}
	if len(answer.Choices) == 0 {
		return completion, invalid("answer has no choices")
	}
	choice := answer.Choices[0]
	switch {
	case choice.Message.Refusal != "" || choice.FinishReason == "content_filter":
		return completion, &modelcall.Error{
			Kind: modelcall.Refused, Billed: true, Err: errors.New("the model declined to answer"),
		}
	case choice.FinishReason == "length":
		return completion, invalid("answer was cut off at the token limit")
	case choice.Message.Content == "":
		return completion, invalid("answer is empty")
	}
	completion.Text = choice.Message.Content
	return completion, nil
}

func invalid(what string) error {
	return &modelcall.Error{
		Kind: modelcall.InvalidAnswer, Retryable: true, Billed: true, Err: errors.New(what),
	}
}
