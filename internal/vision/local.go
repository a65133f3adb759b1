package vision

import (
	"context"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/localvision"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
)

// What every verdict of the built-in model says, and what it adds where it is not sure.
const (
	knowsKO  = "내장된 작은 모델은 골판지, 유리, 금속, 종이, 플라스틱, 일반쓰레기 여섯 가지만 알아봐요."
	knowsEN  = "The built-in model knows only cardboard, glass, metal, paper, plastic and trash."
	unsureKO = "확실하지 않아요. 물건 하나를 단순한 배경에서 가까이 다시 찍어 주세요. "
	unsureEN = "Not sure: please take another photo, of one item, close up and on a plain background. "
)

// local is the built-in model.
type local struct {
	*analyzer
	sureAt float64
}

func newLocal(cfg modelprovider.Config, deps modelprovider.Deps) (*local, error) {
	cfg.Provider = modelprovider.Local
	model, err := localvision.New()
	if err != nil {
		return nil, err
	}
	guard, err := modelprovider.Guard(model, cfg, deps, stage)
	if err != nil {
		return nil, fmt.Errorf("configuring vision: %w", err)
	}
	a, err := newAnalyzer(guard, cfg.ModelName())
	if err != nil {
		return nil, err
	}
	a.version = model.Version()
	return &local{analyzer: a, sureAt: model.SureAt()}, nil
}

// Analyze tells, beside what the photo shows, whether the model is sure of it.
func (l *local) Analyze(ctx context.Context, r Request) (Verdict, error) {
	v, err := l.analyzer.Analyze(ctx, r)
	if err != nil {
		return v, err
	}
	v.NoteKO, v.NoteEN = knowsKO, knowsEN
	if v.Confidence < l.sureAt {
		v.Unsure, v.NoteKO, v.NoteEN = true, unsureKO+knowsKO, unsureEN+knowsEN
	}
	return v, nil
}
