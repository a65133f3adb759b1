package trashnet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/wastecoach/wastecoach/internal/trashnet"
)

func TestPartsAreBlocksOfNumbers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(class, name string) {
		t.Helper()
		folder := filepath.Join(root, "small", class)
		if err := os.MkdirAll(folder, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 100; n++ {
		write("paper", fmt.Sprintf("paper%d.jpg", n))
	}
	write("paper", "glass1.jpg")
	write("paper", "paper.jpg")
	photos, err := trashnet.Photos(root)
	if err != nil || len(photos) != 100 {
		t.Fatalf("%d photos, %v", len(photos), err)
	}
	for i, p := range photos {
		want := trashnet.Train
		switch {
		case p.Number == 39:
			want = trashnet.Unused
		case p.Number > 80:
			want = trashnet.Test
		case p.Number > 72:
			want = trashnet.Validation
		}
		if p.Number != i+1 || p.Class != "paper" || p.Part != want {
			t.Errorf("%s is in %s, want %s", p, p.Part, want)
		}
	}
}

func TestNoPhotosIsNoError(t *testing.T) {
	t.Parallel()
	if photos, err := trashnet.Photos(t.TempDir()); err != nil || len(photos) != 0 {
		t.Errorf("%v, %v", photos, err)
	}
}
