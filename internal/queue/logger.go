package queue

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// asynqLogger passes asynq's own few lines on.
type asynqLogger struct{ logger *slog.Logger }

func (l asynqLogger) Debug(args ...any) { l.logger.Debug("asynq", "text", fmt.Sprint(args...)) }
func (l asynqLogger) Info(args ...any)  { l.logger.Info("asynq", "text", fmt.Sprint(args...)) }
func (l asynqLogger) Warn(args ...any)  { l.logger.Warn("asynq", "text", fmt.Sprint(args...)) }
func (l asynqLogger) Error(args ...any) { l.logger.Error("asynq", "text", fmt.Sprint(args...)) }
func (l asynqLogger) Fatal(args ...any) { l.logger.Error("asynq", "text", fmt.Sprint(args...)) }

func queuedAt(headers map[string]string) (time.Time, bool) {
	ms, err := strconv.ParseInt(headers[headerQueuedAt], 10, 64)
	return time.UnixMilli(ms), err == nil
}
