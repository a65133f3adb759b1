package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/simulator"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// words are what stands around an answer, in the answer's language.
type words struct {
	verdict, simulated, parts, how, where, why, mistakes, points, noPoints, source,
	fresh, cached, warning string
	note func(vision.Verdict) string
}

var wordsOf = map[string]words{
	english: {
		verdict:   "%s · %.0f %% sure · model %s",
		simulated: "SIMULATOR: no vision model saw this photo, what it shows is made up",
		parts:     "Take apart", how: "How", where: "Where", why: "Why", mistakes: "Common mistakes",
		points: "Nearest collection points", noPoints: "none found near you", source: "Source",
		fresh: "%s", cached: "%s, from the cache", warning: "Missing: %s",
		note: func(v vision.Verdict) string { return v.NoteEN },
	},
	korean: {
		verdict:   "%s · 확신도 %.0f %% · 모델 %s",
		simulated: "시뮬레이터(SIMULATOR): 실제 비전 모델 없이 지어낸 인식 결과예요",
		parts:     "나눠서 버릴 것", how: "버리는 방법", where: "버리는 곳", why: "이유",
		mistakes: "자주 하는 실수", points: "가까운 수거함", noPoints: "가까운 곳에 없어요", source: "출처",
		fresh: "%s", cached: "%s, 캐시에서", warning: "빠진 것: %s",
		note: func(v vision.Verdict) string { return v.NoteKO },
	},
}

// answerText draws one photo's answer.
type answerText struct {
	page
	theme theme
	words words
	// located tells that the user said where they are.
	located bool
}

func (a *answerText) draw(e *entry) {
	a.line("", e.Photo, a.theme.title)
	if e.Error != nil {
		a.failure(e.Error)
		return
	}
	answer := e.answer
	a.verdict(answer.Vision)
	a.parts(answer.Vision.Parts)
	a.advice(answer.Advice)
	a.points(answer.CollectionPoints)
	if len(answer.Warnings) > 0 {
		missing := strings.Join(answer.Warnings, ", ")
		a.gap()
		a.line("  ", fmt.Sprintf(a.words.warning, missing), a.theme.warning)
	}
	a.gap()
	a.line("  ", a.took(e), a.theme.faint)
}

func (a *answerText) failure(e *entryError) {
	a.line("  ✗ ", e.Message, a.theme.bad)
	for hint := range strings.Lines(e.Hint) {
		a.WriteString("  try: " + strings.TrimSpace(hint) + "\n") // unwrapped, to be pasted
	}
}

func (a *answerText) verdict(v vision.Verdict) {
	a.line("  ", v.NameKO+" · "+v.NameEN, a.theme.title)
	a.line("  ", fmt.Sprintf(a.words.verdict, v.Class, v.Confidence*100, v.Model),
		a.theme.faint)
	if v.Model == simulator.ModelName {
		a.line("  ", a.words.simulated, a.theme.warning)
	}
	if note := a.words.note(v); v.Unsure {
		a.line("  ", note, a.theme.warning)
	} else if note != "" {
		a.line("  ", note, a.theme.faint)
	}
}

func (a *answerText) parts(parts []vision.Part) {
	if len(parts) == 0 {
		return
	}
	a.heading(a.words.parts)
	for _, part := range parts {
		a.line("  - ", fmt.Sprintf("%s (%s): %s", part.Name, part.Material, part.Class), asIs)
	}
}

func (a *answerText) advice(advice pipeline.Advice) {
	a.heading(a.words.how)
	if advice.Summary != "" {
		a.line("  ", advice.Summary, asIs)
	}
	for i, step := range advice.Steps {
		a.line(fmt.Sprintf("  %*d. ", len(strconv.Itoa(len(advice.Steps))), i+1), step.Text, asIs)
	}
	a.paragraph(a.words.where, advice.Where)
	a.paragraph(a.words.why, advice.Why)
	if len(advice.Mistakes) > 0 {
		a.heading(a.words.mistakes)
	}
	for _, mistake := range advice.Mistakes {
		a.line("  - ", mistake, asIs)
	}
	a.paragraph(a.words.source, advice.Source)
}

func (a *answerText) points(points []pipeline.Point) {
	if !a.located && len(points) == 0 {
		return
	}
	a.heading(a.words.points)
	if len(points) == 0 {
		a.line("  ", a.words.noPoints, asIs)
	}
	widest := 0
	for _, p := range points {
		widest = max(widest, ansi.StringWidth(distance(p.DistanceM)))
	}
	for _, p := range points {
		far := fmt.Sprintf("  %*s  ", widest, distance(p.DistanceM))
		a.line(far, p.Name, asIs)
		if p.Address != "" {
			a.line(strings.Repeat(" ", len(far)), p.Address, a.theme.faint)
		}
	}
}

func (a *answerText) took(e *entry) string {
	words := a.words.fresh
	if e.answer.Cached {
		words = a.words.cached
	}
	time := fmt.Sprintf("%.1f s", e.Seconds)
	if e.Seconds < 1 {
		time = fmt.Sprintf("%.0f ms", e.Seconds*1000)
	}
	return fmt.Sprintf(words, time)
}

func (a *answerText) heading(text string) {
	a.gap()
	a.line("  ", text, a.theme.heading)
}

func (a *answerText) paragraph(heading, text string) {
	if text == "" {
		return
	}
	a.heading(heading)
	a.line("  ", text, asIs)
}

func asIs(text ...string) string { return text[0] }

func distance(meters int) string {
	if meters < 1000 {
		return fmt.Sprintf("%d m", meters)
	}
	return fmt.Sprintf("%.1f km", float64(meters)/1000)
}
