package convnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

const magic = "CONVNET1"

// Picture is the layer number of the input.
const Picture = -1

// Bounds of a file, against ones that are not ours.
const (
	maxHeader   = 1 << 20
	maxChannels = 4096
)

// Header describes a network.
type Header struct {
	// Labels are the classes in the order of the outputs.
	Labels []string `json:"labels"`
	// LongSide is how many pixels the longer side of a picture should have.
	LongSide int `json:"long_side"`
	// Temperature divides the outputs before they become probabilities.
	Temperature float64 `json:"temperature"`
	// SureAt is the probability from which an answer is worth giving.
	SureAt float64 `json:"sure_at"`
	Layers []Layer `json:"layers"`
	// Heads are the layers that the head sees: one, or one of each of several networks that
	// were trained apart and answer together.
	Heads []int `json:"heads"`
	// Training tells where the weights come from; nothing here reads it.
	Training json.RawMessage `json:"training,omitempty"`
}

// Layer is a convolution. It pads with zeros so that stride 1 keeps the size.
type Layer struct {
	// From is the layer it reads, or Picture.
	From int `json:"from"`
	In   int `json:"in"`
	Out  int `json:"out"`
	// Kernel is 1 or 3, Stride 1 or 2.
	Kernel int `json:"kernel"`
	Stride int `json:"stride"`
	// Add is a layer whose output is added to this one's, or Picture for none.
	Add int `json:"add"`
	// ReLU cuts what is below zero, after the addition.
	ReLU bool `json:"relu"`
}

// depth is how many numbers make one output, padded so that the kernel need not look after rests.
func (l Layer) depth() int { return (l.In*l.Kernel*l.Kernel + step - 1) / step * step }

// Load reads a network from its file.
func Load(file []byte) (*Network, error) {
	header, numbers, err := split(file)
	if err != nil {
		return nil, fmt.Errorf("reading a network: %w", err)
	}
	if err := header.check(); err != nil {
		return nil, fmt.Errorf("reading a network: %w", err)
	}
	sum := sha256.Sum256(file)
	n := &Network{Header: header, Version: hex.EncodeToString(sum[:6])}
	r := &reader{rest: numbers}
	for _, l := range header.Layers {
		n.layers = append(n.layers, convolution{
			Layer: l, weights: pack(r.weights(l.Out, l.In*l.Kernel*l.Kernel), l), bias: r.floats(l.Out),
		})
	}
	n.head, n.headBias = r.weights(len(header.Labels), header.pooled()), r.floats(len(header.Labels))
	if r.short || len(r.rest) != 0 {
		return nil, errors.New("reading a network: it has too few or too many numbers")
	}
	return n, nil
}

func split(file []byte) (header Header, numbers []byte, err error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok || len(rest) < 4 {
		return header, nil, errors.New("this is no network")
	}
	size := binary.LittleEndian.Uint32(rest)
	rest = rest[4:]
	if size > maxHeader || int(size) > len(rest) {
		return header, nil, errors.New("its header is cut short")
	}
	if err := json.Unmarshal(rest[:size], &header); err != nil {
		return header, nil, fmt.Errorf("its header: %w", err)
	}
	return header, rest[size:], nil
}

func (h Header) check() error {
	if len(h.Labels) == 0 || len(h.Heads) == 0 || h.LongSide <= 0 || h.Temperature <= 0 {
		return errors.New("its header lacks labels, heads, size or temperature")
	}
	for _, layer := range h.Heads {
		if layer < 0 || layer >= len(h.Layers) {
			return fmt.Errorf("its head sees layer %d of %d", layer, len(h.Layers))
		}
	}
	for i, l := range h.Layers {
		if err := h.checkLayer(i, l); err != nil {
			return fmt.Errorf("layer %d %w", i, err)
		}
	}
	return nil
}

func (h Header) checkLayer(i int, l Layer) error {
	switch {
	case l.From < Picture || l.From >= i || l.Add < Picture || l.Add >= i:
		return errors.New("reads one that does not come before it")
	case l.In != h.channels(l.From):
		return fmt.Errorf("reads %d channels, of %d", l.In, h.channels(l.From))
	case l.Add != Picture && h.channels(l.Add) != l.Out:
		return errors.New("adds another number of channels")
	case l.Add != Picture && h.shrinks(l.Add) != h.shrinks(l.From)*l.Stride:
		return errors.New("adds another size")
	case l.Kernel != 1 && l.Kernel != 3, l.Stride != 1 && l.Stride != 2:
		return fmt.Errorf("has kernel %d and stride %d", l.Kernel, l.Stride)
	case l.Out <= 0 || l.Out > maxChannels || l.Out%2 != 0:
		return fmt.Errorf("has %d channels, not an even number", l.Out)
	}
	return nil
}

// pooled is how many numbers the head sees.
func (h Header) pooled() int {
	n := 0
	for _, layer := range h.Heads {
		n += 2 * h.Layers[layer].Out
	}
	return n
}

// channels of a layer's output.
func (h Header) channels(layer int) int {
	if layer == Picture {
		return 3
	}
	return h.Layers[layer].Out
}

// shrinks is by how much a layer's output is smaller than the picture.
func (h Header) shrinks(layer int) int {
	if layer == Picture {
		return 1
	}
	l := h.Layers[layer]
	return h.shrinks(l.From) * l.Stride
}

// pack puts the weights of two outputs side by side, in the order in which the kernel reads them.
func pack(weights []float32, l Layer) []float32 {
	per, depth := l.In*l.Kernel*l.Kernel, l.depth()
	out := make([]float32, l.Out*depth)
	if len(weights) != l.Out*per {
		return out
	}
	for o := range l.Out {
		for k := range per {
			out[o/2*2*depth+2*k+o%2] = weights[o*per+k]
		}
	}
	return out
}

// reader takes numbers; once there are too few, it gives nothing more.
type reader struct {
	rest  []byte
	short bool
}

// weights takes the scales of outputs, then their weights, per for each.
func (r *reader) weights(outputs, per int) []float32 {
	scales, values := r.floats(outputs), r.bytes(2*outputs*per)
	if r.short {
		return nil
	}
	out := make([]float32, outputs*per)
	for i := range out {
		value := int16(binary.LittleEndian.Uint16(values[2*i:])) //nolint:gosec // the same 16 bits
		out[i] = float32(value) * scales[i/per]
	}
	return out
}

func (r *reader) floats(n int) []float32 {
	values := r.bytes(4 * n)
	out := make([]float32, len(values)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(values[4*i:]))
	}
	return out
}

func (r *reader) bytes(n int) []byte {
	if r.short || len(r.rest) < n {
		r.short = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
