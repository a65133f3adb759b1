package convnet_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/convnet"
)

// small has every kind of layer: both kernels, both strides, additions, no ReLU.
func small() convnet.Header {
	return convnet.Header{
		Labels: []string{"a", "b", "c"}, LongSide: 32, Temperature: 1.5, SureAt: 0.5,
		Layers: []convnet.Layer{
			{From: convnet.Picture, In: 3, Out: 4, Kernel: 3, Stride: 2, Add: convnet.Picture, ReLU: true},
			{From: 0, In: 4, Out: 6, Kernel: 1, Stride: 2, Add: convnet.Picture},
			{From: 0, In: 4, Out: 6, Kernel: 3, Stride: 2, Add: convnet.Picture, ReLU: true},
			{From: 2, In: 6, Out: 6, Kernel: 3, Stride: 1, Add: 1, ReLU: true},
			{From: 3, In: 6, Out: 8, Kernel: 1, Stride: 1, Add: convnet.Picture, ReLU: true},
		},
		Heads: []int{4, 1},
	}
}

// scale is that of all weights here.
const scale = 1.0 / 256

// numbers are the weights and biases of small, in the file's order.
func numbers(h convnet.Header) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	count := len(h.Labels)
	for _, layer := range h.Heads {
		count += len(h.Labels) * 2 * h.Layers[layer].Out
	}
	for _, l := range h.Layers {
		count += l.Out * (l.In*l.Kernel*l.Kernel + 1)
	}
	all := make([]float32, count)
	for i := range all {
		all[i] = float32(r.IntN(257)-128) * scale
	}
	return all
}

// encode writes the file of a network that has the numbers of small.
func encode(t testing.TB, h convnet.Header, all []float32) []byte {
	t.Helper()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	file.WriteString("CONVNET1")
	file.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(text))))
	file.Write(text)
	write := func(outputs, per int) {
		for range outputs {
			file.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(scale)))
		}
		for _, v := range all[:outputs*per] {
			file.Write(binary.LittleEndian.AppendUint16(nil, uint16(int16(v/scale))))
		}
		for _, v := range all[outputs*per : outputs*(per+1)] {
			file.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
		all = all[outputs*(per+1):]
	}
	for _, l := range small().Layers {
		write(l.Out, l.In*l.Kernel*l.Kernel)
	}
	write(len(small().Labels), len(all)/len(small().Labels)-1)
	return file.Bytes()
}

func noise(width, height int) convnet.Input {
	r := rand.New(rand.NewPCG(uint64(width), uint64(height)))
	in := convnet.Input{Width: width, Height: height, RGB: make([]uint8, 3*width*height)}
	for i := range in.RGB {
		in.RGB[i] = uint8(r.IntN(256))
	}
	return in
}

func TestProbabilitiesAreThoseOfTheDefinition(t *testing.T) {
	t.Parallel()
	h := small()
	all := numbers(h)
	n, err := convnet.Load(encode(t, h, all))
	if err != nil {
		t.Fatal(err)
	}
	session := n.NewSession() // one for all sizes: nothing may stay behind
	for _, size := range [][2]int{{32, 24}, {5, 3}, {24, 32}, {1, 1}, {31, 2}, {32, 32}} {
		in := noise(size[0], size[1])
		got, want := session.Probabilities(in), define(h, all, in)
		for i := range want {
			if math.Abs(float64(got[i])-want[i]) > 1e-5 {
				t.Errorf("%v: got %v, want %v", size, got, want)
				break
			}
		}
	}
}

// tensor is channels × height × width, as in the definition of a convolution.
type tensor struct {
	channels, height, width int
	at                      func(c, y, x int) float64
}

// define computes a network by the book: slow, and in no way as the package does it.
func define(h convnet.Header, all []float32, in convnet.Input) []float64 {
	take := func(n int) []float32 {
		taken := all[:n]
		all = all[n:]
		return taken
	}
	picture := tensor{3, in.Height, in.Width, func(c, y, x int) float64 {
		return float64(in.RGB[3*(y*in.Width+x)+c])/127.5 - 1
	}}
	outs := []tensor{}
	for _, l := range h.Layers {
		from := picture
		if l.From != convnet.Picture {
			from = outs[l.From]
		}
		outs = append(outs, convolve(l, from, outs, take(l.Out*l.In*l.Kernel*l.Kernel), take(l.Out)))
	}
	var pooled []float64
	for _, layer := range h.Heads {
		pooled = append(pooled, pool(outs[layer])...)
	}
	weights, bias := take(len(h.Labels)*len(pooled)), take(len(h.Labels))
	out, total := make([]float64, len(h.Labels)), 0.0
	for i := range out {
		sum := float64(bias[i])
		for k, v := range pooled {
			sum += float64(weights[i*len(pooled)+k]) * v
		}
		out[i] = math.Exp(sum / h.Temperature)
		total += out[i]
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

func pool(in tensor) []float64 {
	out := make([]float64, 2*in.channels)
	for c := range in.channels {
		out[in.channels+c] = math.Inf(-1)
		for i := range in.height * in.width {
			v := in.at(c, i/in.width, i%in.width)
			out[c] += v / float64(in.height*in.width)
			out[in.channels+c] = max(out[in.channels+c], v)
		}
	}
	return out
}

func convolve(l convnet.Layer, in tensor, outs []tensor, weights, bias []float32) tensor {
	out := tensor{channels: l.Out, height: (in.height-1)/l.Stride + 1, width: (in.width-1)/l.Stride + 1}
	values := make([]float64, out.channels*out.height*out.width)
	for i := range values {
		o, y, x := i/out.width/out.height, i/out.width%out.height, i%out.width
		sum := float64(bias[o])
		for k := range l.In * l.Kernel * l.Kernel {
			c, dy, dx := k/l.Kernel/l.Kernel, k/l.Kernel%l.Kernel, k%l.Kernel
			iy, ix := y*l.Stride+dy-l.Kernel/2, x*l.Stride+dx-l.Kernel/2
			if iy >= 0 && iy < in.height && ix >= 0 && ix < in.width {
				sum += float64(weights[o*l.In*l.Kernel*l.Kernel+k]) * in.at(c, iy, ix)
			}
		}
		if l.Add != convnet.Picture {
			sum += outs[l.Add].at(o, y, x)
		}
		if l.ReLU {
			sum = max(sum, 0)
		}
		values[i] = sum
	}
	out.at = func(c, y, x int) float64 { return values[(c*out.height+y)*out.width+x] }
	return out
}

func TestNothingIsAllocatedOnceWarm(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the process's
	n, err := convnet.Load(encode(t, small(), numbers(small())))
	if err != nil {
		t.Fatal(err)
	}
	session, large, other := n.NewSession(), noise(32, 32), noise(32, 20)
	session.Probabilities(large)
	allocs := testing.AllocsPerRun(10, func() {
		session.Probabilities(large)
		session.Probabilities(other)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestLoadRefusesWhatIsNoNetwork(t *testing.T) {
	t.Parallel()
	good := encode(t, small(), numbers(small()))
	changed := func(change func(*convnet.Header)) []byte {
		h := small()
		change(&h)
		return encode(t, h, numbers(small()))
	}
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty":       {nil, "no network"},
		"other":       {[]byte(strings.Repeat("x", 100)), "no network"},
		"cut header":  {good[:20], "cut short"},
		"cut":         {good[:len(good)-1], "too few"},
		"long":        {append(slices.Clone(good), 0, 0), "too few or too many"},
		"no JSON":     {append([]byte("CONVNET1\x01\x00\x00\x00"), 'x'), "header"},
		"no labels":   {changed(func(h *convnet.Header) { h.Labels = nil }), "lacks"},
		"no heads":    {changed(func(h *convnet.Header) { h.Heads = nil }), "lacks"},
		"head":        {changed(func(h *convnet.Header) { h.Heads[0] = 5 }), "layer 5 of 5"},
		"temperature": {changed(func(h *convnet.Header) { h.Temperature = 0 }), "lacks"},
		"from later":  {changed(func(h *convnet.Header) { h.Layers[1].From = 3 }), "before"},
		"add itself":  {changed(func(h *convnet.Header) { h.Layers[3].Add = 3 }), "before"},
		"channels":    {changed(func(h *convnet.Header) { h.Layers[1].In = 6 }), "channels"},
		"add others":  {changed(func(h *convnet.Header) { h.Layers[3].Add = 0 }), "adds another number"},
		"add size": {changed(func(h *convnet.Header) {
			h.Layers[3].Stride, h.Layers[3].Add = 2, 1
		}), "another size"},
		"kernel": {changed(func(h *convnet.Header) { h.Layers[4].Kernel = 5 }), "kernel 5"},
		"odd":    {changed(func(h *convnet.Header) { h.Layers[4].Out = 7 }), "even"},
	} {
		if _, err := convnet.Load(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestInputKeepsTheShape(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ w, h, wantW, wantH int }{
		{1024, 768, 160, 120}, {300, 400, 120, 160}, {40, 30, 40, 30}, {5000, 2, 160, 1},
	} {
		img := image.NewRGBA(image.Rect(0, 0, tt.w, tt.h))
		for i := range img.Pix {
			img.Pix[i] = []uint8{200, 100, 50, 255}[i%4]
		}
		in := convnet.NewInput(img, 160)
		if in.Width != tt.wantW || in.Height != tt.wantH || len(in.RGB) != 3*tt.wantW*tt.wantH {
			t.Errorf("%d × %d became %d × %d", tt.w, tt.h, in.Width, in.Height)
		}
		if last := in.RGB[len(in.RGB)-3:]; !slices.Equal(last, []uint8{200, 100, 50}) {
			t.Errorf("%d × %d: the last pixel is %v", tt.w, tt.h, last)
		}
	}
	glass := convnet.NewInput(image.NewNRGBA(image.Rect(0, 0, 4, 4)), 160)
	if glass.RGB[0] != 255 {
		t.Error("what is transparent is not white")
	}
}
