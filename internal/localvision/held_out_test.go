package localvision_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/trashnet"
)

var update = flag.Bool("update", false, "rewrite golden files")

// report is what docs/local-model.md rests on.
const report = "../../docs/local-model-report.md"

// photos lists TrashNet's, or skips the test.
func photos(t testing.TB) []trashnet.Photo {
	t.Helper()
	folder := trashnet.Folder(filepath.Join("..", ".."))
	all, err := trashnet.Photos(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Skipf("there are no photos in %s; set WASTECOACH_PHOTOS", folder)
	}
	return all
}

func photosByName(t *testing.T) map[string]trashnet.Photo {
	t.Helper()
	named := map[string]trashnet.Photo{}
	for _, p := range photos(t) {
		named[p.String()] = p
	}
	return named
}

// asInTheWorker is a photo on the way it takes there: normalized, stored as JPEG, read again.
func asInTheWorker(t testing.TB, p trashnet.Photo) image.Image {
	t.Helper()
	data, err := os.ReadFile(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	normal, err := photo.Normalize(t.Context(), data, photo.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(normal.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// seen is one photo of the held-out block with the model's answer; classes are numbers of labels.
type seen struct {
	class, guess int
	confidence   float64
}

// TestHeldOutPhotos compares with docs/local-model-report.md, which -update rewrites.
func TestHeldOutPhotos(t *testing.T) {
	t.Parallel()
	m := setup(t)
	held := slices.DeleteFunc(photos(t), func(p trashnet.Photo) bool { return p.Part != trashnet.Test })
	all := make([]seen, len(held))
	var group errgroup.Group
	group.SetLimit(2)
	for i, p := range held {
		img := asInTheWorker(t, p)
		group.Go(func() error {
			chances, err := m.Look(t.Context(), img)
			if err != nil {
				return err
			}
			most := slices.Max(chances)
			all[i] = seen{slices.Index(m.Labels(), p.Class), slices.Index(chances, most), float64(most)}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	got := describe(all, m.Labels(), m.SureAt(), m.Version())
	t.Log("\n" + got)
	if *update {
		if err := os.WriteFile(report, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the figures are not those of %s (refresh it with -update)", report)
	}
}

func describe(all []seen, labels []string, sureAt float64, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The built-in model on photos it has not seen\n\n"+
		"Weights %s, %d photos of the held-out block: the last fifth of the numbers of each class.\n"+
		"Written by `go test ./internal/localvision -run HeldOut -update`; "+
		"see [local-model.md](local-model.md).\n\n", version, len(all))
	fmt.Fprintf(&b, "| figure | |\n|---|---|\n| accuracy | %.2f %% |\n| macro F1 | %.4f |\n"+
		"| ECE, 10 bins | %.4f |\n", 100*accuracy(all), macroF1(all, len(labels)), calibrationError(all))
	sure := slices.DeleteFunc(slices.Clone(all), func(s seen) bool { return s.confidence < sureAt })
	fmt.Fprintf(&b, "| sure, from a confidence of %.2f | %.1f %% of the photos |\n"+
		"| accuracy where sure | %.2f %% |\n",
		sureAt, 100*float64(len(sure))/float64(len(all)), 100*accuracy(sure))
	b.WriteString("\n## Which class was taken for which\n| is \\ taken for |")
	for _, label := range labels {
		fmt.Fprintf(&b, " %s |", label)
	}
	b.WriteString(" recall | precision |\n|---" + strings.Repeat("|---", len(labels)+2) + "|\n")
	matrix := confusion(all, len(labels))
	for class, row := range matrix {
		fmt.Fprintf(&b, "| %s |", labels[class])
		for _, n := range row {
			fmt.Fprintf(&b, " %d |", n)
		}
		precision, recall := quality(matrix, class)
		fmt.Fprintf(&b, " %.1f %% | %.1f %% |\n", 100*recall, 100*precision)
	}
	b.WriteString("\n## How far confidence can be trusted\n" +
		"| confidence | photos | mean confidence | right |\n|---|---|---|---|\n")
	for i, bin := range bins(all) {
		if len(bin) > 0 {
			fmt.Fprintf(&b, "| %d–%d %% | %d | %.1f %% | %.1f %% |\n",
				10*i, 10*i+10, len(bin), 100*meanConfidence(bin), 100*accuracy(bin))
		}
	}
	return b.String()
}
