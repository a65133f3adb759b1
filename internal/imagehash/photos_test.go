package imagehash

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// blockDistance is how far apart two numbers of a TrashNet class are at least for the photos to
// count as different objects: neighbors often show one object from several sides.
const blockDistance = 25

type samplePhoto struct {
	class  string
	number int
	open   func() (image.Image, error)
}

func (p samplePhoto) String() string { return fmt.Sprint(p.class, p.number) }

// neighbors tells whether the photos may show one object by their numbers.
func (p samplePhoto) neighbors(q samplePhoto) bool {
	d := p.number - q.number
	return p.class == q.class && max(d, -d) <= blockDistance
}

// samplePhotos finds TrashNet by Gary Thung and Mindy Yang (MIT), else draws pictures of its own.
func samplePhotos(t *testing.T) (list []samplePhoto, fromDisk bool) {
	t.Helper()
	root := os.Getenv("WASTECOACH_PHOTOS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "photos")
	}
	files, err := filepath.Glob(filepath.Join(root, "small", "*", "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^(\D+)(\d+)\.jpg$`)
	for _, file := range files {
		m := name.FindStringSubmatch(filepath.Base(file))
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, samplePhoto{m[1], n, func() (image.Image, error) { return openJPEG(file) }})
	}
	slices.SortFunc(list, func(a, b samplePhoto) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.number, b.number))
	})
	if len(list) > 0 {
		return list, true
	}
	t.Logf("no photos in %s: drawing small pictures instead", root)
	for i := range 24 {
		list = append(list, samplePhoto{"drawn", i * (blockDistance + 1), func() (image.Image, error) {
			return drawn(uint64(i)), nil
		}})
	}
	return list, false
}

func openJPEG(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(f)
	return img, cmp.Or(err, f.Close())
}

// drawn is a picture of colored boxes with soft noise, another one for each seed.
func drawn(seed uint64) image.Image {
	r := rand.New(rand.NewPCG(seed, 7))
	img := image.NewRGBA(image.Rect(0, 0, 288, 216))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.Gray{Y: 225}), image.Point{}, draw.Src)
	for range 14 {
		box := image.Rect(0, 0, 20+r.IntN(90), 20+r.IntN(90))
		box = box.Add(image.Pt(r.IntN(240), r.IntN(170)))
		c := color.RGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255}
		draw.Draw(img, box, image.NewUniform(c), image.Point{}, draw.Src)
	}
	return reencode(img, 90)
}

// sameObject reads the pairs that were seen to show one object although their names are far apart.
func sameObject(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "same_object.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[string]bool{}
	for _, row := range rows {
		pairs[row[0]+" "+row[1]] = true
	}
	return pairs
}
