package top

import (
	"context"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// actTimeout bounds an action; what became of it is looked up by the next picture.
const actTimeout = 30 * time.Second

// words are how a verb is spoken of.
type words struct{ title, doing, done, effect string }

var verbs = map[monitor.Verb]words{
	monitor.Retry: {
		"Retry", "retrying", "retried", "It runs again, from its last good stage.",
	},
	monitor.Cancel: {
		"Cancel", "canceling", "canceled", "It ends now. Its user sees it as canceled.",
	},
	monitor.Archive: {
		"Archive", "archiving", "archived", "Its task leaves the queue until it is retried.",
	},
	monitor.Delete: {
		"Delete", "deleting", "deleted", "The job and its answer are gone for good, for its user too.",
	},
	monitor.RunNow: {
		"Run now", "starting", "started", "Its task does not wait for its time.",
	},
	monitor.Repair: {
		"Repair", "repairing", "repaired", "Its task is sent again; a worker takes it up.",
	},
	monitor.Pause: {
		"Pause", "pausing", "paused", "No worker takes from it. What runs goes on to its end.",
	},
	monitor.Resume: {
		"Resume", "resuming", "resumed", "Workers take from it again.",
	},
}

// misfit is why a verb is not for a job, empty where it is. Whoever acts decides; this only spares
// questions that make no sense.
func misfit(verb monitor.Verb, j monitor.Job) string {
	switch verb {
	case monitor.Retry:
		if j.Status == job.Succeeded {
			return "has succeeded"
		}
		if j.Status == job.Processing && !j.Stalled && !j.Orphan && !j.Archived {
			return "is running"
		}
	case monitor.Cancel, monitor.Archive, monitor.RunNow:
		if j.Status.Final() {
			return "has " + ended(j.Status)
		}
	case monitor.Delete:
		if !j.Status.Final() {
			return "is not finished"
		}
	case monitor.Repair:
		if !j.Stalled && !j.Orphan {
			return "is neither stalled nor an orphan"
		}
	case monitor.Pause, monitor.Resume:
	}
	return ""
}

func ended(s job.Status) string {
	if s == job.Canceled {
		return "been canceled"
	}
	return string(s)
}

// dialog is a question about an action, or what came of one.
type dialog struct {
	title string
	// subjects are what it is about, a line each; texts are wrapped below them.
	subjects []string
	texts    []string
	action   *monitor.Action // nil: nothing is asked
}

// targets are the jobs that an action would be for.
func (m *model) targets() []monitor.Job {
	if m.detail != nil {
		if !m.detail.got {
			return nil
		}
		return []monitor.Job{m.detail.job.Job}
	}
	if m.view != jobs {
		return nil
	}
	var list []monitor.Job
	for _, id := range m.list().chosen(m.rows()) {
		if j, ok := m.jobByID(id); ok {
			list = append(list, j)
		}
	}
	return list
}

func (m *model) jobByID(id string) (monitor.Job, bool) {
	for _, j := range m.feed.picture.Jobs.Items {
		if j.ID.String() == id {
			return j, true
		}
	}
	return monitor.Job{}, false
}

// mayAct says why not where nothing may be done.
func (m *model) mayAct() bool {
	if m.readOnly {
		m.say(true, "read-only: nothing is changed from here")
		return false
	}
	if m.acting != "" {
		m.say(true, "still %s", m.acting)
		return false
	}
	return true
}

// askFor asks whether the verb is meant, for exactly the jobs that it names.
func (m *model) askFor(verb monitor.Verb) {
	targets := m.targets()
	if !m.mayAct() {
		return
	}
	if len(targets) == 0 {
		m.say(true, "no job is chosen: turn to the jobs with 2")
		return
	}
	action := monitor.Action{Verb: verb}
	var subjects, left []string
	for _, j := range targets {
		if why := misfit(verb, j); why != "" {
			left = append(left, shortID(j.ID)+" "+why)
			continue
		}
		action.Jobs = append(action.Jobs, j.ID)
		subjects = append(subjects, shortID(j.ID)+"  "+describe(j))
	}
	if len(action.Jobs) == 0 {
		m.say(true, "nothing to %s: %s", strings.ToLower(verbs[verb].title), left[0])
		return
	}
	texts := []string{verbs[verb].effect}
	if len(left) > 0 {
		texts = append(texts, "Left out: "+summary(left))
	}
	m.dialog = &dialog{verbs[verb].title + " " + plural(len(action.Jobs), "job") + "?", subjects, texts, &action}
}

func summary(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s, and %d more", list[0], len(list)-1)
}

// describe is a job in a few words.
func describe(j monitor.Job) string {
	text := string(j.Status)
	if j.Status == job.Processing {
		text = fmt.Sprintf("%s %d %%", j.Stage, j.Progress)
	}
	if j.Error != nil {
		text += ": " + cells.Clean(j.Error.Title)
	} else if j.Item != "" {
		text += ", " + cells.Clean(j.Item)
	}
	return text
}

// askForQueue asks whether the queue under the cursor is to be paused, or resumed where it is.
func (m *model) askForQueue() {
	if m.view != queues || len(m.queues()) == 0 {
		m.say(true, "no queue is chosen: turn to the queues with 3")
		return
	}
	if !m.mayAct() {
		return
	}
	q := m.queues()[m.list().index]
	verb := monitor.Pause
	if q.Paused {
		verb = monitor.Resume
	}
	m.dialog = &dialog{
		verbs[verb].title + " the queue " + q.Name + "?",
		[]string{fmt.Sprintf("%s pending, %s active", count(q.Pending), count(q.Active))},
		[]string{verbs[verb].effect},
		&monitor.Action{Verb: verb, Queue: q.Name},
	}
}

// onDialogKey answers the question.
func (m *model) onDialogKey(msg tea.KeyPressMsg) tea.Cmd {
	action := m.dialog.action
	switch {
	case action != nil && key.Matches(msg, m.keys.yes):
		m.dialog = nil
		return m.act(*action)
	case key.Matches(msg, m.keys.no), action == nil:
		m.dialog = nil
		if action != nil {
			m.say(false, "nothing was changed")
		}
	}
	return nil
}

// acted is what came of an action.
type acted struct {
	action   monitor.Action
	outcomes []monitor.Outcome
	err      error
}

func (m *model) act(a monitor.Action) tea.Cmd {
	m.acting = verbs[a.Verb].doing + " " + subjects(a)
	source, parent := m.source, m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, actTimeout)
		defer cancel()
		outcomes, err := source.Act(ctx, a)
		return acted{a, outcomes, err}
	}
}

func subjects(a monitor.Action) string {
	switch {
	case a.Queue != "":
		return "the queue " + a.Queue
	case len(a.Jobs) == 1:
		return "job " + shortID(a.Jobs[0])
	}
	return plural(len(a.Jobs), "job")
}

// onActed tells what was done, and of each thing for which it was not.
func (m *model) onActed(got acted) tea.Cmd {
	m.acting = ""
	verb := verbs[got.action.Verb]
	var faults []string
	done, already := 0, 0
	for _, o := range got.outcomes {
		switch {
		case o.Error != "":
			faults = append(faults, shortSubject(o.Subject)+"  "+cells.Clean(o.Error))
		case o.Changed:
			done++
		default:
			already++
		}
	}
	switch {
	case got.err != nil:
		m.dialog = &dialog{title: "Not " + verb.done, texts: []string{cells.Clean(monitor.Explain(got.err))}}
	case len(faults) > 0:
		title := fmt.Sprintf("%s %d of %d", capital(verb.done), done, len(got.outcomes))
		m.dialog = &dialog{title: title, subjects: faults}
	case done == 0 && already > 0:
		m.say(false, "%s: it was so already", subjects(got.action))
	default:
		m.say(false, "%s %s", verb.done, subjects(got.action))
		m.lists[jobs].marks = nil
	}
	return m.fetch()
}

func shortSubject(subject string) string {
	if id, err := uuid.FromString(subject); err == nil {
		return shortID(id)
	}
	return cells.Clean(subject)
}
