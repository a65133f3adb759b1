package objectstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

func TestStreamsAndPrefixes(t *testing.T) {
	t.Parallel()
	store := setup(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB: several parts
	if err := store.PutStream(t.Context(), "exports/a/1.zip", "application/zip", bytes.NewReader(large)); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(t.Context(), "exports/a/1.zip", int64(len(large)))
	if err != nil || !bytes.Equal(got, large) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	broken := errors.New("the source broke off")
	body := io.MultiReader(bytes.NewReader(large), iotest.ErrReader(broken))
	if err := store.PutStream(t.Context(), "exports/a/2.zip", "application/zip", body); !errors.Is(err, broken) {
		t.Errorf("a broken stream: %v", err)
	}
	for i := range 3 {
		if err := store.Put(t.Context(), fmt.Sprintf("exports/ab/%d", i), "text/plain", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		prefix string
		count  int64
	}{{"exports/a/", 1}, {"exports/ab/", 3}, {"exports/none/", 0}, {"exports/", 4}} {
		if n, err := store.CountPrefix(t.Context(), want.prefix); err != nil || n != want.count {
			t.Errorf("%s has %d objects, %v; want %d", want.prefix, n, err, want.count)
		}
	}
	for _, want := range []int64{1, 0} {
		if n, err := store.DeletePrefix(t.Context(), "exports/a/"); err != nil || n != want {
			t.Errorf("deleted %d, %v; want %d", n, err, want)
		}
	}
	if n, err := store.CountPrefix(t.Context(), "exports/"); err != nil || n != 3 {
		t.Errorf("%d objects are left, %v; want 3", n, err)
	}
}
