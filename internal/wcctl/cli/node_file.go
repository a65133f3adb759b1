package cli

import (
	"fmt"
	"strconv"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const workersKey = "workers"

func workersSetting(target spec.Target, count int) setting {
	return setting{block: string(target), key: workersKey, value: strconv.Itoa(count)}
}

// writeWorkers changes the number of workers in wastecoach.yaml.
func writeWorkers(path string, target spec.Target, count int) error {
	return refusedWorkers(path, target, count, workersSetting(target, count).write(path))
}

// editedWorkers is the file's text with that number of workers.
func editedWorkers(path string, target spec.Target, count int) (string, error) {
	text, err := workersSetting(target, count).edited(path)
	return text, refusedWorkers(path, target, count, err)
}

func refusedWorkers(path string, target spec.Target, count int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{
		Op: "changing the number of workers in " + path, Cause: err,
		Hint: fmt.Sprintf("write spec.%s.%s: %d into it by hand, then: wcctl up", target, workersKey, count),
	}
}

// editWorkers is a text with that number of workers.
func editWorkers(text string, target spec.Target, count int) (string, error) {
	return workersSetting(target, count).edit(text)
}
