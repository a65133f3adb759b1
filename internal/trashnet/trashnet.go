// Package trashnet finds the photos that the built-in model is trained on, and splits them.
//
// They are TrashNet by Gary Thung and Mindy Yang (Stanford CS 229), MIT license, and not part of
// this repository.
package trashnet

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Part is what a photo is used for.
type Part string

// The parts. Neighbors often show one object from several sides: each part is one block of numbers
// of every class, and the validation block keeps the test block away from the training block.
const (
	Train      Part = "train"
	Validation Part = "validation"
	Test       Part = "test"
	// Unused photos show an object that a photo of the test block shows as well.
	Unused Part = "unused"
)

// The shares of a class, in percent of its numbers, at which a block ends.
const (
	trainEnds      = 72
	validationEnds = 80
)

// Photo is one photo of a class.
type Photo struct {
	Class  string
	Number int
	Path   string
	Part   Part
}

func (p Photo) String() string { return p.Class + strconv.Itoa(p.Number) }

// Labels are the classes in the order of their names.
func Labels() []string {
	return []string{"cardboard", "glass", "metal", "paper", "plastic", "trash"}
}

// Folder is $WASTECOACH_PHOTOS, else shared/photos beside the repository's root, which is up.
func Folder(up string) string {
	if folder := os.Getenv("WASTECOACH_PHOTOS"); folder != "" {
		return folder
	}
	return filepath.Join(up, "..", "shared", "photos")
}

var fileName = regexp.MustCompile(`^([a-z]+)(\d+)\.jpg$`)

// Photos lists the photos below folder/small by class and number; none is no error.
func Photos(folder string) ([]Photo, error) {
	var all []Photo
	for _, class := range Labels() {
		files, err := filepath.Glob(filepath.Join(folder, "small", class, "*.jpg"))
		if err != nil {
			return nil, fmt.Errorf("listing photos of %s: %w", class, err)
		}
		photos, err := numbered(class, files)
		if err != nil {
			return nil, err
		}
		all = append(all, photos...)
	}
	return all, nil
}

func numbered(class string, files []string) ([]Photo, error) {
	var photos []Photo
	for _, file := range files {
		m := fileName.FindStringSubmatch(filepath.Base(file))
		if len(m) == 0 || m[1] != class {
			continue
		}
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, fmt.Errorf("reading the number of %s: %w", file, err)
		}
		photos = append(photos, Photo{Class: class, Number: n, Path: file})
	}
	slices.SortFunc(photos, func(a, b Photo) int { return cmp.Compare(a.Number, b.Number) })
	for i := range photos {
		photos[i].Part = part(photos[i], photos[len(photos)-1].Number)
	}
	return photos, nil
}

func part(p Photo, last int) Part {
	switch place := 100 * p.Number; {
	case place > validationEnds*last:
		return Test
	case slices.Contains(seenAgain(), p.String()):
		return Unused
	case place > trainEnds*last:
		return Validation
	default:
		return Train
	}
}

// seenAgain are photos of an object that the test block shows, too, as seen by eye: see
// internal/imagehash/testdata/same_object.csv.
func seenAgain() []string {
	return []string{"paper39", "paper89", "paper152", "paper185", "paper265", "paper345"}
}
