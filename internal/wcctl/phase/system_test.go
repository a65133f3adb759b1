package phase

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// fakeSystem is deployed or not, and answers or not.
type fakeSystem struct {
	version, wanted string
	silent          bool
	tries           int
}

func (s *fakeSystem) Pending(context.Context, *Run) ([]Change, error) {
	if s.version == s.wanted && s.version != "" {
		return nil, nil
	}
	return []Change{{Phase: deployName, What: "deploy " + s.wanted}}, nil
}

func (s *fakeSystem) Deploy(context.Context, *Run) error {
	s.version = s.wanted
	return nil
}

func (s *fakeSystem) Version(context.Context, *Run) (string, error) { return s.version, nil }

func (s *fakeSystem) Try(context.Context, *Run) (string, error) {
	s.tries++
	if s.silent {
		return "", errors.New("no answer")
	}
	return "it answers", nil
}

func TestTheSystemIsDeployedOnceAndTriedUntilItAnswers(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	s := &fakeSystem{}
	up := func() (worked []string, err error) {
		runner := w.runner()
		runner.Run.System, runner.Run.Cluster.Spec.Domain = s, "waste.test"
		plan, err := runner.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plan.Phases {
			if len(p.Changes) > 0 {
				worked = append(worked, p.Name)
			}
		}
		_, err = runner.Up(t.Context())
		return worked, err
	}
	for i, step := range []struct {
		wanted string
		silent bool
		worked []string
		fails  bool
	}{
		{"1", true, []string{deployName, smokeName}, true},
		{"1", false, []string{smokeName}, false},
		{"1", false, nil, false},
		{"2", false, []string{deployName}, false}, // the new version is known after it: the run tries it
		{"2", false, nil, false},
	} {
		s.wanted, s.silent = step.wanted, step.silent
		worked, err := up()
		if !slices.Equal(worked, step.worked) || (err != nil) != step.fails {
			t.Errorf("run %d worked on %v: %v", i+1, worked, err)
		}
	}
	if s.tries != 3 {
		t.Errorf("it was tried %d times", s.tries)
	}
}
