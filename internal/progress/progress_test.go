package progress_test

import (
	"bytes"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

type bundle struct {
	*progress.Store
	redis *redis.Client
	job   uuid.UUID
	key   string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	client, job := testredis.New(t).Client(1), uuid.Must(uuid.NewV7())
	return &bundle{progress.NewStore(client), client, job, "job:" + job.String()}
}

func snapshot(version int64, body string) progress.Snapshot {
	at := time.UnixMilli(1_900_000_000_123).UTC()
	changed := at.Add(time.Duration(version%1000) * time.Second)
	return progress.Snapshot{
		Owner: uuid.Must(uuid.FromString("01890000-0000-7000-8000-000000000001")), Version: version,
		Finished: version%2 == 0, CreatedAt: at, Changed: changed, Checked: changed,
		Body: []byte(body),
	}
}

func (b *bundle) put(t *testing.T, s progress.Snapshot) {
	t.Helper()
	if err := b.Put(t.Context(), b.job, s); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) want(t *testing.T, want progress.Snapshot) {
	t.Helper()
	got, ok, err := b.Get(t.Context(), b.job)
	if err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got version %d of %d bytes, checked %s, %t %v; want version %d of %d bytes, checked %s",
			got.Version, len(got.Body), got.Checked, ok, err, want.Version, len(want.Body), want.Checked)
	}
}

func TestTouch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.UnixMilli(1_950_000_000_000).UTC()
	if err := b.Touch(t.Context(), b.job, now); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.Get(t.Context(), b.job); ok || err != nil {
		t.Fatalf("a look made a job: %t %v", ok, err)
	}
	s := snapshot(3, "body")
	b.put(t, s)
	if err := b.Touch(t.Context(), b.job, now); err != nil {
		t.Fatal(err)
	}
	s.Checked = now
	b.want(t, s)
}

func TestNewerWins(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		puts []int64
		want int64
	}{
		"first":              {[]int64{3}, 3},
		"newer":              {[]int64{3, 4}, 4},
		"older":              {[]int64{4, 3}, 4},
		"as number, no text": {[]int64{9, 10, 9}, 10},
		"large":              {[]int64{1 << 50, 1<<50 + 1, 1 << 50}, 1<<50 + 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for _, v := range tt.puts {
				b.put(t, snapshot(v, `{"n":1}`))
			}
			b.want(t, snapshot(tt.want, `{"n":1}`))
		})
	}
}

func TestSameVersionKeepsTheFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, snapshot(3, "first"))
	b.put(t, snapshot(3, "second"))
	b.want(t, snapshot(3, "first"))
}

func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const writers, each = 8, 25
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				v := int64(1 + i*writers + w)
				if err := b.Put(t.Context(), b.job, snapshot(v, "body")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.want(t, snapshot(writers*each, "body"))
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, snapshot(1, "{}"))
	if ttl := b.redis.PTTL(t.Context(), b.key).Val(); ttl <= progress.TTL-time.Minute || ttl > progress.TTL {
		t.Errorf("it lives %s", ttl)
	}
	if err := b.redis.PExpire(t.Context(), b.key, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	b.put(t, snapshot(1, "{}"))
	if ttl := b.redis.PTTL(t.Context(), b.key).Val(); ttl > time.Minute {
		t.Errorf("a refused write prolongs it to %s", ttl)
	}
	b.put(t, snapshot(2, "{}"))
	if ttl := b.redis.PTTL(t.Context(), b.key).Val(); ttl <= time.Minute {
		t.Errorf("a change does not prolong it: %s", ttl)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, ok, err := b.Get(t.Context(), b.job); ok || err != nil {
		t.Errorf("never written: %t, %v", ok, err)
	}
	b.put(t, snapshot(1, "{}"))
	for range 2 {
		if err := b.Delete(t.Context(), b.job); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := b.Get(t.Context(), b.job); ok || err != nil {
		t.Errorf("deleted: %t, %v", ok, err)
	}
	b.put(t, snapshot(1, "{}"))
	if err := b.redis.HDel(t.Context(), b.key, "body").Err(); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.Get(t.Context(), b.job); ok || err != nil {
		t.Errorf("half a hash: %t, %v", ok, err)
	}
}

func TestBigBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	body := string(bytes.Repeat(every, 4<<10)) // 1 MiB
	b.put(t, snapshot(1, body))
	b.want(t, snapshot(1, body))
}

func TestBrokenHash(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, snapshot(1, "{}"))
	if err := b.redis.HSet(t.Context(), b.key, "owner", "nobody").Err(); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.Get(t.Context(), b.job); ok || err == nil {
		t.Errorf("an owner that is no UUID: %t, %v", ok, err)
	}
}
