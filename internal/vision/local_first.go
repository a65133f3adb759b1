package vision

import (
	"context"
	"log/slog"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
)

// localFirst asks the built-in model, and the remote one where that is not sure.
type localFirst struct {
	local, remote Analyzer
	log           *slog.Logger
}

func newLocalFirst(cfg modelprovider.Config, deps modelprovider.Deps) (*localFirst, error) {
	near, err := newLocal(cfg, deps)
	if err != nil {
		return nil, err
	}
	cfg.Provider = modelprovider.OpenAI
	remote, err := New(cfg, deps)
	if err != nil {
		return nil, err
	}
	return &localFirst{local: near, remote: remote, log: deps.Log}, nil
}

// Analyze fails only where both models do: a guess that says that it is one is better than nothing.
func (f *localFirst) Analyze(ctx context.Context, r Request) (Verdict, error) {
	guess, localErr := f.local.Analyze(ctx, r)
	if localErr == nil && !guess.Unsure {
		return guess, nil
	}
	verdict, err := f.remote.Analyze(ctx, r)
	if err == nil || localErr != nil || modelcall.KindOf(err) == modelcall.Canceled {
		return verdict, err
	}
	f.log.WarnContext(ctx, "remote vision failed, the built-in model's guess stands",
		"kind", string(modelcall.KindOf(err)), "error", err)
	return guess, nil
}
