package imagehash

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// transform makes a near-duplicate of a photo; r is seeded by the photo.
type transform struct {
	name  string
	apply func(img image.Image, r *rand.Rand) image.Image
}

func transforms() []transform {
	var list []transform
	add := func(name string, f func(image.Image) image.Image) {
		list = append(list, transform{name, func(img image.Image, _ *rand.Rand) image.Image {
			return f(img)
		}})
	}
	for _, q := range []int{30, 50, 70, 90} {
		add(fmt.Sprintf("jpeg q%d", q), func(m image.Image) image.Image { return reencode(m, q) })
	}
	for _, percent := range []int{50, 75, 125, 150} {
		add(fmt.Sprintf("resize %d%%", percent), func(m image.Image) image.Image {
			return resize(m, float64(percent)/100)
		})
	}
	for _, percent := range []int{2, 4, 6} {
		e := float64(percent) / 100
		add(fmt.Sprintf("crop %d%% per side", percent), func(m image.Image) image.Image {
			return reencode(crop(m, [4]float64{e, e, e, e}), 85)
		})
	}
	list = append(list,
		transform{"crop 2-6% uneven", func(m image.Image, r *rand.Rand) image.Image {
			var e [4]float64
			for i := range e {
				e[i] = 0.02 + 0.04*r.Float64()
			}
			return reencode(crop(m, e), 85)
		}},
		transform{"crop 2-6% one side", func(m image.Image, r *rand.Rand) image.Image {
			var e [4]float64
			e[r.IntN(4)] = 0.02 + 0.04*r.Float64()
			return reencode(crop(m, e), 85)
		}})
	for _, degrees := range []float64{-3, -2, -1, 1, 2, 3} {
		add(fmt.Sprintf("turn %+g deg cropped", degrees), func(m image.Image) image.Image {
			return reencode(turn(m, degrees, true), 85)
		})
	}
	for _, degrees := range []float64{-3, -2, -1, 1, 2, 3} {
		add(fmt.Sprintf("turn %+g deg white corners", degrees), func(m image.Image) image.Image {
			return reencode(turn(m, degrees, false), 85)
		})
	}
	for _, n := range []int{1, 2, 3} {
		add(fmt.Sprintf("turn %d deg", 90*n), func(m image.Image) image.Image {
			return reencode(quarters(m, n), 85)
		})
	}
	add("resize 70% jpeg q60", func(m image.Image) image.Image { return reencode(resize(m, 0.7), 60) })
	add("brightness -15%", func(m image.Image) image.Image { return reencode(expose(m, 0.85), 85) })
	add("brightness +15%", func(m image.Image) image.Image { return reencode(expose(m, 1.15), 85) })
	return list
}

func reencode(img image.Image, quality int) image.Image {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		panic(err)
	}
	out, err := jpeg.Decode(&b)
	if err != nil {
		panic(err)
	}
	return out
}

func resize(img image.Image, factor float64) image.Image {
	b := img.Bounds()
	w, h := float64(b.Dx())*factor, float64(b.Dy())*factor
	dst := image.NewRGBA(image.Rect(0, 0, int(w), int(h)))
	xdraw.CatmullRom.Scale(dst, dst.Bounds(), img, b, draw.Src, nil)
	return dst
}

// crop takes shares of the picture off the left, top, right and bottom.
func crop(img image.Image, edges [4]float64) image.Image {
	b := img.Bounds()
	w, h := float64(b.Dx()), float64(b.Dy())
	r := image.Rect(b.Min.X+int(edges[0]*w), b.Min.Y+int(edges[1]*h),
		b.Max.X-int(edges[2]*w), b.Max.Y-int(edges[3]*h))
	dst := image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
	draw.Draw(dst, dst.Bounds(), img, r.Min, draw.Src)
	return dst
}

// turn rotates about the center; the corners are white or cropped away, as editors do.
func turn(img image.Image, degrees float64, cropped bool) image.Image {
	b := img.Bounds()
	w, h := float64(b.Dx()), float64(b.Dy())
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	cx, cy := w/2, h/2
	dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src)
	m := f64.Aff3{cos, -sin, cx - cos*cx + sin*cy, sin, cos, cy - sin*cx - cos*cy}
	xdraw.BiLinear.Transform(dst, m, img, b, draw.Over, nil)
	if !cropped {
		return dst
	}
	edge := (1 - 1/(cos+max(w/h, h/w)*math.Abs(sin))) / 2
	return crop(dst, [4]float64{edge, edge, edge, edge})
}

// quarters turns clockwise by n times 90 degrees.
func quarters(img image.Image, n int) image.Image {
	for range n {
		b := img.Bounds()
		dst := image.NewRGBA(image.Rect(0, 0, b.Dy(), b.Dx()))
		for y := range b.Dx() {
			for x := range b.Dy() {
				dst.Set(x, y, img.At(b.Min.X+y, b.Max.Y-1-x))
			}
		}
		img = dst
	}
	return img
}

func expose(img image.Image, factor float64) image.Image {
	dst := image.NewRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(dst, dst.Bounds(), img, img.Bounds().Min, draw.Src)
	for i, v := range dst.Pix {
		if i%4 != 3 {
			dst.Pix[i] = uint8(min(255, float64(v)*factor))
		}
	}
	return dst
}
