package dev

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/testphoto"
)

const (
	// marker stands in everything that the erased user can write.
	marker         = "marker-7f3a9c51"
	erasedAnalyses = 50
	// settle is far below what a real system needs, since all access tokens outlive it here.
	settle = 3 * time.Second
)

// person is a user of a running stack.
type person struct {
	t    *testing.T
	base string
	// mark is in all that this person writes.
	mark   string
	tokens client.Tokens
	api    *client.Client
}

// Token implements client.TokenSource.
func (p *person) Token(context.Context, string) (string, error) { return p.tokens.AccessToken, nil }

func logIn(t *testing.T, base, hint, mark string) *person {
	t.Helper()
	anonymous, err := client.New(client.Options{BaseURL: base, UserAgent: "phone " + mark})
	if err != nil {
		t.Fatal(err)
	}
	login := anonymous.StartLogin("dev", "http://127.0.0.1:1/login")
	login.URL += "&login_hint=" + hint
	tokens, err := anonymous.FollowLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, base: base, mark: mark, tokens: tokens}
	p.api = anonymous.WithTokens(p)
	return p
}

// call returns the answer's status and body.
func (p *person) call(method, path string, body any) (int, []byte) {
	p.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	if body == nil {
		content = nil
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+"/api/v1"+path, bytes.NewReader(content))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+p.tokens.AccessToken)
	req.Header.Set("X-Request-Id", p.mark)
	req.Header.Set("Idempotency-Key", p.mark)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, got
}

func (p *person) must(status int, method, path string, body, into any) {
	p.t.Helper()
	got, answer := p.call(method, path, body)
	if got != status {
		p.t.Fatalf("%s %s: %d %s, want %d", method, path, got, answer, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		p.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

// analyze sends a photo and returns its job, which may have ended already.
func (p *person) analyze(photo []byte, n int, locale string) client.Snapshot {
	p.t.Helper()
	id, err := p.api.UploadPhoto(p.t.Context(), photo, "image/jpeg")
	if err != nil {
		p.t.Fatal(err)
	}
	snap, err := p.api.CreateAnalysis(p.t.Context(), client.AnalysisRequest{
		UploadID: id, Locale: locale, Location: &client.Location{Lat: 37.5663, Lng: 126.9779},
		IdempotencyKey: fmt.Sprintf("%s-%d", p.mark, n),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return snap
}

func (p *person) await(what, path string, ok func(job.Job) bool) job.Job {
	p.t.Helper()
	var j job.Job
	eventually(p.t, what, func() bool {
		j = job.Job{}
		p.must(http.StatusOK, http.MethodGet, path, nil, &j)
		return ok(j)
	})
	return j
}

func photoOf(seed uint64) []byte { return testphoto.JPEG(testphoto.Picture(seed), 90) }

// TestDeletedUserIsGoneFromEverywhere is the promise of DELETE /users/me, on all real parts: a user
// with 50 analyses is looked for in every column of every table of every schema, in every object of
// the bucket and in every key of the four Redis databases. The stack is stopped in the middle.
func TestDeletedUserIsGoneFromEverywhere(t *testing.T) {
	t.Parallel()
	first := start(t, wholeStack(t, newFolder(t)))
	victim, neighbor := logIn(t, first.URL, "dev", marker), logIn(t, first.URL, "other", "neighbor")
	second := logIn(t, first.URL, "dev", marker) // another device of the same user
	if second.tokens.UserID != victim.tokens.UserID {
		t.Fatal("the second login is another user")
	}
	needles := victim.liveALittle()
	needles = append(needles, second.tokens.SessionID)
	shared := photoOf(0)
	kept := neighbor.analyze(shared, 0, "ko") // the victim sent it before, so the cache answers
	if kept.Job.Status != job.Succeeded {
		t.Fatalf("the same photo of another user was not answered by the cache: %+v", kept.Job)
	}
	before := look(t, first.Info, needles)
	for _, place := range []string{
		"auth.accounts", "auth.identities", "users.profiles", "users.exports", "waste.analyses", "waste.uploads",
		"waste.answers", "waste.feedback", "recycling.advice_jobs", "redis 0", "redis 1", "redis 3", "s3",
	} {
		if before[place] == 0 {
			t.Errorf("%s has nothing of the user before the deletion: the search proves nothing there", place)
		}
	}

	var deletion job.Job
	victim.must(http.StatusAccepted, http.MethodDelete, "/users/me", nil, &deletion)
	first.end(t)
	again := start(t, wholeStack(t, first.Data))
	victim.base = again.URL
	receipt := strings.TrimPrefix(deletion.Links.Self, "/api/v1")
	victim.await("everything is erased once", receipt, func(j job.Job) bool { return j.Progress >= 90 })
	if !t.Run("its access token brings nothing back", func(t *testing.T) { victim.isRefused(t) }) {
		return
	}
	done := victim.await("the deletion is done", receipt, func(j job.Job) bool { return j.Status.Final() })
	var proof struct{ Erased, Remaining erasure.Counts }
	if err := json.Unmarshal(done.Result, &proof); err != nil {
		t.Fatal(err)
	}
	t.Logf("erased %v", proof.Erased)
	if proof.Remaining.Total() != 0 || len(proof.Remaining) < 12 ||
		proof.Erased["waste.analyses"] < erasedAnalyses {
		t.Errorf("proof %+v", proof)
	}
	after := look(t, again.Info, needles)
	t.Logf("searched %d places for %d words: %d hits before, %d after",
		len(after), len(needles), sum(before), sum(after))
	for place, hits := range after {
		if hits > 0 {
			t.Errorf("%s still has %d rows, objects or keys of the user", place, hits)
		}
	}
	neighbor.base = again.URL
	neighbor.keepsAll(t, kept.Job.ID.String(), shared)
	if reborn := logIn(t, again.URL, "dev", "reborn"); reborn.tokens.UserID == victim.tokens.UserID {
		t.Error("who logs in again is the erased user")
	}
}

func wholeStack(t *testing.T, data Folder) Config {
	t.Helper()
	cfg := config(data, Pools())
	for name := range cfg.Replicas {
		cfg.Replicas[name] = 1
	}
	fast := time.Duration(0)
	cfg.Vision, cfg.LLM, cfg.ModelLatency = "simulator", "simulator", &fast
	cfg.Environ = []string{
		"USERS_DELETION_SETTLE=" + settle.String(), "USERS_DELETION_INTERVAL=100ms", "LOG_LEVEL=warn",
	}
	return cfg
}

// liveALittle leaves something everywhere, and returns the words to look for.
func (p *person) liveALittle() []string {
	t := p.t
	p.must(http.StatusOK, http.MethodPatch, "/users/me",
		map[string]string{"display_name": "Minji " + marker, "home_region": marker}, nil)
	needles := []string{p.tokens.UserID, p.tokens.SessionID, marker}
	for i := range erasedAnalyses {
		photo := photoOf(uint64(i))
		needles = append(needles, p.analyze(photo, i, []string{"ko", "en"}[i%2]).Job.ID.String())
		if i > 0 { // the neighbor has sent the first one, too
			hash := sha256.Sum256(photo)
			needles = append(needles, hex.EncodeToString(hash[:]))
		}
	}
	var page struct {
		Jobs []job.Job `json:"jobs"`
	}
	eventually(t, "all analyses have succeeded", func() bool {
		p.must(http.StatusOK, http.MethodGet, "/waste/analyses?status=succeeded&page_size=100", nil, &page)
		return len(page.Jobs) == erasedAnalyses
	})
	for _, j := range page.Jobs[:3] {
		p.must(http.StatusNoContent, http.MethodPost, "/waste/analyses/"+j.ID.String()+"/feedback",
			map[string]string{"class": "bulky", "comment": "wrong, " + marker}, nil)
	}
	// One that is never uploaded, so that its job waits; and one that is uploaded for no job.
	waiting, err := p.api.CreateUpload(t.Context(), photoOf(1001), "image/jpeg")
	if err != nil {
		t.Fatal(err)
	}
	var left job.Job
	p.must(http.StatusAccepted, http.MethodPost, "/waste/analyses", map[string]string{"upload_id": waiting.ID}, &left)
	unused, err := p.api.UploadPhoto(t.Context(), photoOf(1002), "image/jpeg")
	if err != nil {
		t.Fatal(err)
	}
	p.must(http.StatusAccepted, http.MethodPost, "/users/me/export", nil, nil)
	export := p.await("the export is made", "/users/me/export", func(j job.Job) bool { return j.Status.Final() })
	var packed struct{ Photos int }
	if err := json.Unmarshal(export.Result, &packed); err != nil || packed.Photos != erasedAnalyses {
		t.Errorf("an export with %d photos, %v: %+v", packed.Photos, err, export)
	}
	var stats struct{ Total, Repeats int }
	p.must(http.StatusOK, http.MethodGet, "/users/me/stats", nil, &stats)
	if stats.Total != erasedAnalyses || stats.Repeats != 0 {
		t.Errorf("statistics %+v", stats)
	}
	return append(needles, waiting.ID, unused, left.ID.String(), export.ID.String())
}

func (p *person) isRefused(t *testing.T) {
	for _, r := range []struct {
		method, path string
		body         any
		status       int
	}{
		{http.MethodGet, "/users/me", nil, http.StatusUnauthorized},
		{http.MethodPatch, "/users/me", map[string]string{"locale": "en"}, http.StatusUnauthorized},
		{http.MethodPost, "/users/me/export", nil, http.StatusUnauthorized},
		{http.MethodGet, "/auth/sessions", nil, http.StatusUnauthorized},
		{http.MethodPost, "/waste/uploads", map[string]any{
			"sha256": strings.Repeat("a", 64), "size": 100, "content_type": "image/jpeg",
		}, http.StatusUnauthorized},
		{
			http.MethodPost, "/auth/refresh",
			map[string]string{"refresh_token": p.tokens.RefreshToken},
			http.StatusUnauthorized,
		},
	} {
		if status, body := p.call(r.method, r.path, r.body); status != r.status {
			t.Errorf("%s %s: %d %s, want %d", r.method, r.path, status, body, r.status)
		}
	}
	status, body := p.call(http.MethodGet, "/waste/analyses", nil)
	if status != http.StatusOK || !strings.Contains(string(body), `"jobs":[]`) {
		t.Errorf("its analyses: %d %s", status, body)
	}
}

// keepsAll looks whether another user has lost anything.
func (p *person) keepsAll(t *testing.T, analysis string, photo []byte) {
	var stats struct{ Total, Repeats int }
	p.must(http.StatusOK, http.MethodGet, "/users/me/stats", nil, &stats)
	if stats.Total != 1 {
		t.Errorf("the neighbor's statistics are %+v", stats)
	}
	p.await("the neighbor's analysis is there", "/waste/analyses/"+analysis,
		func(j job.Job) bool { return j.Status == job.Succeeded })
	again := logIn(t, p.base, "other", p.mark)
	if snap := again.analyze(photo, 1, "ko"); snap.Job.Status != job.Succeeded {
		t.Errorf("what the neighbor had sent, too, is not cached any more: %+v", snap.Job)
	}
}

func sum(hits map[string]int) int {
	all := 0
	for _, n := range hits {
		all += n
	}
	return all
}

// look counts, by place, the rows, files and keys that hold one of the words.
func look(t *testing.T, info Info, needles []string) map[string]int {
	t.Helper()
	hits := map[string]int{}
	lookInTables(t, info, needles, hits)
	for db := range 4 {
		hits[fmt.Sprintf("redis %d", db)] = lookInRedis(t, info, db, needles)
	}
	for _, dir := range []string{"objects", "metadata"} {
		hits["s3"] += lookInFiles(t, info.Data.path("s3", dir), needles)
	}
	return hits
}

// lookInTables reads whole rows as text: every column, whatever its type. A bytea is hexadecimal.
func lookInTables(t *testing.T, info Info, needles []string, hits map[string]int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), info.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT n.nspname, c.relname FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Schema, Table string }])
	if err != nil || len(tables) < 15 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	patterns := make([]string, len(needles))
	for i, needle := range needles {
		patterns[i] = "%" + needle + "%"
	}
	for _, table := range tables {
		var n int
		name := pgx.Identifier{table.Schema, table.Table}.Sanitize()
		err := conn.QueryRow(t.Context(),
			`SELECT count(*) FROM `+name+` x WHERE x::text ILIKE ANY($1)`, patterns).Scan(&n)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		hits[table.Schema+"."+table.Table] = n
	}
}

func holds(text string, needles []string) bool {
	for _, needle := range needles {
		if strings.Contains(text, needle) {
			return true
		}
	}
	return false
}

func lookInRedis(t *testing.T, info Info, db int, needles []string) int {
	t.Helper()
	r := redis.NewClient(&redis.Options{Addr: info.Redis, Password: info.RedisPassword, DB: db})
	defer r.Close()
	hits := 0
	keys := r.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		if holds(keys.Val()+" "+valueOf(t, r, keys.Val()), needles) {
			hits++
		}
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return hits
}

// valueOf is all that a key holds, as text.
func valueOf(t *testing.T, r *redis.Client, key string) string {
	t.Helper()
	ctx := t.Context()
	kind, err := r.Type(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	var value any
	switch kind {
	case "string":
		value, err = r.Get(ctx, key).Result()
	case "hash":
		value, err = r.HGetAll(ctx, key).Result()
	case "list":
		value, err = r.LRange(ctx, key, 0, -1).Result()
	case "set":
		value, err = r.SMembers(ctx, key).Result()
	case "zset":
		value, err = r.ZRange(ctx, key, 0, -1).Result()
	case "none": // it expired this moment
	default:
		t.Fatalf("key %s is of the unknown kind %s", key, kind)
	}
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
		t.Fatal(err)
	}
	return fmt.Sprint(value)
}

// lookInFiles looks into the gateway's own folder: no listing hides anything from it.
func lookInFiles(t *testing.T, dir string, needles []string) int {
	t.Helper()
	hits := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text := strings.TrimPrefix(path, dir)
		if !d.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(content)
		}
		if holds(text, needles) {
			hits++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}
