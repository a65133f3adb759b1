package localvision

import (
	"bytes"
	"context"
	_ "embed" // the weights are a file
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"runtime"
	"slices"
	"sync"

	"github.com/wastecoach/wastecoach/internal/convnet"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

//go:embed weights.bin
var weights []byte

// network is read once: all models of a process share its memory.
var network = sync.OnceValues(func() (*convnet.Network, error) { return convnet.Load(weights) })

// Model is a modelcall.Model that answers a photo by itself.
type Model struct {
	network  *convnet.Network
	sessions chan *convnet.Session
}

// New returns a Model that looks at as many photos at once as there are processors.
func New() (*Model, error) {
	n, err := network()
	if err != nil {
		return nil, fmt.Errorf("loading the built-in model: %w", err)
	}
	for _, label := range n.Labels {
		if _, ok := materials[label]; !ok {
			return nil, fmt.Errorf("loading the built-in model: its label %q has no class", label)
		}
	}
	m := &Model{network: n, sessions: make(chan *convnet.Session, runtime.GOMAXPROCS(0))}
	for range cap(m.sessions) {
		m.sessions <- n.NewSession()
	}
	return m, nil
}

// Version names the weights.
func (m *Model) Version() string { return m.network.Version }

// SureAt is the confidence from which an answer is worth giving.
func (m *Model) SureAt() float64 { return m.network.SureAt }

// Complete answers a question about a photo with the material that it most likely shows.
func (m *Model) Complete(
	ctx context.Context, p modelcall.Prompt,
) (modelcall.Completion, error) {
	img, err := jpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil {
		return modelcall.Completion{}, &modelcall.Error{Kind: modelcall.Misconfigured, Err: err}
	}
	chances, err := m.Look(ctx, img)
	if err != nil {
		return modelcall.Completion{}, err
	}
	text, err := json.Marshal(m.answer(chances))
	if err != nil {
		return modelcall.Completion{}, fmt.Errorf("writing an answer: %w", err)
	}
	return modelcall.Completion{Text: string(text)}, nil
}

// Look tells how likely each of Labels is.
func (m *Model) Look(ctx context.Context, img image.Image) ([]float32, error) {
	if img.Bounds().Empty() {
		return nil, &modelcall.Error{Kind: modelcall.Misconfigured, Err: errors.New("the photo is empty")}
	}
	in := convnet.NewInput(img, m.network.LongSide)
	select {
	case session := <-m.sessions:
		defer func() { m.sessions <- session }()
		return slices.Clone(session.Probabilities(in)), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the built-in model: %w", ctx.Err())
	}
}

// Labels are what the model tells apart, in the order of Look.
func (m *Model) Labels() []string { return m.network.Labels }

// verdict is the answer that internal/vision asks for.
type verdict struct {
	Class      wasteclass.Class `json:"class"`
	Label      string           `json:"label"`
	Material   string           `json:"material"`
	Shape      string           `json:"shape"`
	Parts      []string         `json:"parts"`
	Confidence float64          `json:"confidence"`
	NameKO     string           `json:"name_ko"`
	NameEN     string           `json:"name_en"`
}

func (m *Model) answer(chances []float32) verdict {
	confidence := slices.Max(chances)
	label := m.network.Labels[slices.Index(chances, confidence)]
	material := materials[label]
	return verdict{
		Class: material.class, Label: label, Material: label, Shape: "unknown", Parts: []string{},
		Confidence: min(float64(confidence), 1), NameKO: material.nameKO, NameEN: material.nameEN,
	}
}
