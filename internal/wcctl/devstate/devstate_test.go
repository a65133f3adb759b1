package devstate_test

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

func TestWhatIsWrittenIsReadUntilItIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := devstate.Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a stack: %v", err)
	}
	for _, want := range []devstate.State{
		{PID: 1, URL: "http://127.0.0.1:1"},
		{
			PID: 2, URL: "http://127.0.0.1:2", RedisAddr: "127.0.0.1:6379",
			Replicas: map[string][]string{"waste": {"http://127.0.0.1:3"}},
		},
	} {
		if err := devstate.Write(dir, want); err != nil {
			t.Fatal(err)
		}
		if got, err := devstate.Read(dir); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, %v", got, err)
		}
	}
	info, err := os.Stat(devstate.Path(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for range 2 {
		if err := devstate.Remove(dir); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
