// Command prepare turns the photos into what tools/vision/train.py reads. It takes the way that a
// photo takes in the worker, so that nothing is decoded or resized by two programs.
//
//	go run ./tools/vision/prepare -out /tmp/vision
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image/jpeg"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/wastecoach/wastecoach/internal/convnet"
	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/trashnet"
)

// index describes the two files of pixels beside it: for each photo, rows of red, green, blue.
type index struct {
	Labels []string `json:"labels"`
	Photos []entry  `json:"photos"`
	Files  []pixels `json:"files"`
}

type entry struct {
	Name  string        `json:"name"`
	Class string        `json:"class"`
	Part  trashnet.Part `json:"part"`
}

// pixels is a file with all photos in one size.
type pixels struct {
	Name     string `json:"name"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	longSide int
}

func main() {
	photos := flag.String("photos", trashnet.Folder("."), "folder of the photos")
	out := flag.String("out", "", "folder to write to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := prepare(ctx, *photos, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func prepare(ctx context.Context, folder, out string) error {
	photos, err := trashnet.Photos(folder)
	if err != nil {
		return err
	}
	if len(photos) == 0 || out == "" {
		return fmt.Errorf("there are no photos in %s, or no -out", folder)
	}
	if err := os.MkdirAll(out, 0o750); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	list := index{
		Labels: trashnet.Labels(),
		// Training cuts pieces out of the larger ones; the others are what the network will see.
		Files: []pixels{{Name: "large.u8", longSide: 192}, {Name: "input.u8", longSide: 128}},
	}
	for _, p := range photos {
		list.Photos = append(list.Photos, entry{p.String(), p.Class, p.Part})
	}
	for i := range list.Files {
		if err := write(ctx, photos, &list.Files[i], out); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	return os.WriteFile(filepath.Join(out, "index.json"), text, 0o600)
}

// write makes one file. All photos have to have one shape: training stacks them.
func write(ctx context.Context, photos []trashnet.Photo, to *pixels, out string) (err error) {
	file, err := os.Create(filepath.Join(out, to.Name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	for _, p := range photos {
		in, err := read(ctx, p, to.longSide)
		if err != nil {
			return fmt.Errorf("reading %s: %w", p, err)
		}
		if to.Width == 0 {
			to.Width, to.Height = in.Width, in.Height
		}
		if in.Width != to.Width || in.Height != to.Height {
			return fmt.Errorf("%s has another shape than the others", p)
		}
		if _, err := buffer.Write(in.RGB); err != nil {
			return err
		}
	}
	return buffer.Flush()
}

// read sees a photo as the worker's model does.
func read(ctx context.Context, p trashnet.Photo, longSide int) (convnet.Input, error) {
	data, err := os.ReadFile(p.Path)
	if err != nil {
		return convnet.Input{}, err
	}
	normal, err := photo.Normalize(ctx, data, photo.Limits{})
	if err != nil {
		return convnet.Input{}, err
	}
	img, err := jpeg.Decode(bytes.NewReader(normal.JPEG))
	if err != nil {
		return convnet.Input{}, err
	}
	return convnet.NewInput(img, longSide), nil
}
