package localvision_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/convnet"
	"github.com/wastecoach/wastecoach/internal/localvision"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/testphoto"
	"github.com/wastecoach/wastecoach/internal/trashnet"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

func TestLabelsAreTheSixOfThePhotos(t *testing.T) {
	t.Parallel()
	if got := setup(t).Labels(); !slices.Equal(got, trashnet.Labels()) {
		t.Errorf("labels %v", got)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	photo := testphoto.JPEG(testphoto.Picture(3), 90)
	got, err := setup(t).Complete(t.Context(), modelcall.Prompt{JPEG: photo})
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Class      wasteclass.Class `json:"class"`
		Label      string           `json:"label"`
		Confidence float64          `json:"confidence"`
	}
	if err := json.Unmarshal([]byte(got.Text), &said); err != nil {
		t.Fatal(err)
	}
	if !said.Class.Valid() || !slices.Contains(trashnet.Labels(), said.Label) ||
		said.Confidence < 1.0/6 || said.Confidence > 1 || got.Usage != (modelcall.Usage{}) {
		t.Errorf("said %+v", said)
	}
}

func TestWhatIsNoPhotoIsNoAnswer(t *testing.T) {
	t.Parallel()
	m := setup(t)
	for name, data := range map[string][]byte{"empty": nil, "cut": {0xff, 0xd8, 0xff}} {
		_, err := m.Complete(t.Context(), modelcall.Prompt{JPEG: data})
		if modelcall.KindOf(err) != modelcall.Misconfigured {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.Look(t.Context(), image.NewRGBA(image.Rectangle{})); err == nil {
		t.Error("an empty picture has an answer")
	}
}

func TestWaitingEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	m := setup(t)
	defer m.Occupy()()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Look(ctx, testphoto.Picture(1)); err == nil {
		t.Error("there is an answer although nobody was free to give it")
	}
}

// BenchmarkNetwork is the network alone, on one processor.
func BenchmarkNetwork(b *testing.B) {
	m := setup(b)
	session := m.Network().NewSession()
	in := convnet.NewInput(testphoto.Picture(1), m.Network().LongSide)
	session.Probabilities(in)
	b.ReportAllocs()
	for b.Loop() {
		session.Probabilities(in)
	}
}

// BenchmarkPhoto is all that a photo takes: one as large as the worker keeps them.
func BenchmarkPhoto(b *testing.B) {
	m := setup(b)
	large := image.NewRGBA(image.Rect(0, 0, 1024, 768))
	small := testphoto.Picture(1)
	for i := range 1024 * 768 {
		large.Set(i%1024, i/1024, small.At(i%1024*testphoto.Width/1024, i/1024*testphoto.Height/768))
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, large, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Complete(b.Context(), modelcall.Prompt{JPEG: photo.Bytes()}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory is what the process holds more once the model has looked at a photo. Run it alone: the weights
// are read once.
func BenchmarkMemory(b *testing.B) {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewRGBA(image.Rect(0, 0, 1024, 768)), nil); err != nil {
		b.Fatal(err)
	}
	before := resident(b)
	m := setup(b)
	for b.Loop() {
		if _, err := m.Complete(b.Context(), modelcall.Prompt{JPEG: photo.Bytes()}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(resident(b)-before, "MiB")
}

// resident is the process's memory in MiB.
func resident(b *testing.B) float64 {
	b.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("memory is told by Linux only")
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

var _ modelcall.Model = (*localvision.Model)(nil)
