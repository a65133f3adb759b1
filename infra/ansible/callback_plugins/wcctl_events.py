"""Tells wcctl what a play does: one JSON object per line, to the descriptor WCCTL_EVENTS_FD."""

import ctypes
import json
import os
import signal
import sys
import time

from ansible import __version__
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: wcctl_events
type: notification
short_description: Writes a play's events as JSON lines
description:
  - Writes to the file descriptor that the environment variable WCCTL_EVENTS_FD names; without it
    this does nothing, so that the plays can be run by hand.
  - Results carry names, paths and the end of an error's text, never a module's arguments.
"""

# Modules whose file on the host is the role's alone; a task's variable managed_files names more.
FILE_MODULES = ("copy", "template", "get_url")
TAIL_LINES = 20
PR_SET_PDEATHSIG = 1


class CallbackModule(CallbackBase):
    """One line per start, task, result and the statistics."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "wcctl_events"
    CALLBACK_NEEDS_ENABLED = True
    CALLBACK_NEEDS_WHITELIST = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._started = {}
        descriptor = os.environ.get("WCCTL_EVENTS_FD", "")
        if not descriptor:
            self.disabled = True
            return
        self._out = os.fdopen(int(descriptor), "w", buffering=1, encoding="utf-8")
        if sys.platform == "linux":
            os.register_at_fork(after_in_child=_die_with_parent)

    def _emit(self, **event):
        self._out.write(json.dumps(event, ensure_ascii=False) + "\n")

    def v2_playbook_on_start(self, playbook):
        self._emit(event="start", ansible=__version__)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._begin(task)

    def _begin(self, task):
        if _implied(task):
            return
        self._started[task._uuid] = time.monotonic()
        self._emit(event="task", task=_name(task))

    def v2_runner_on_ok(self, result):
        self._result(result, "changed" if _fields(result).get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable")

    def v2_runner_retry(self, result):
        fields = _fields(result)
        self._emit(
            event="retry",
            host=_host(result),
            task=_name(_task(result)),
            attempt=fields.get("attempts", 0),
        )

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in stats.processed}
        self._emit(event="stats", hosts=hosts)

    def _result(self, result, status):
        task, fields = _task(result), _fields(result)
        if _implied(task) and status == "ok":
            return
        event = {"event": "result", "host": _host(result), "task": _name(task), "status": status}
        began = self._started.get(task._uuid)
        if began is not None:
            event["seconds"] = round(time.monotonic() - began, 3)
        if status in ("ok", "changed"):
            event["paths"] = _paths(task, fields)
        if status in ("failed", "ignored", "unreachable"):
            event["message"], event["stderr"] = _cause(fields)
        self._emit(**event)


def _die_with_parent():
    """Ends a fork with ansible-playbook: wcctl may be killed, and nothing may go on without it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# Newer releases name these without the underscore and warn of the old names.
def _fields(result):
    return result.result if hasattr(result, "result") else result._result


def _task(result):
    return result.task if hasattr(result, "task") else result._task


def _host(result):
    host = result.host if hasattr(result, "host") else result._host
    return host.get_name()


def _implied(task):
    """Tells whether Ansible added the task by itself, to look at a role's arguments."""
    return task.action.endswith("validate_argument_spec")


def _name(task):
    return task.name or task.action


def _paths(task, fields):
    """Lists the files that the task keeps on the host."""
    paths = list((task.vars or {}).get("managed_files", []))
    if task.action.rpartition(".")[2] in FILE_MODULES:
        for item in fields.get("results") or [fields]:
            if not item.get("skipped"):
                paths.append(_path(item))
    return [path for path in paths if path]


def _path(item):
    arguments = (item.get("invocation") or {}).get("module_args") or {}
    if not isinstance(arguments, dict):
        arguments = {}
    return item.get("dest") or item.get("path") or arguments.get("dest") or arguments.get("path")


def _cause(fields):
    """Finds the sentence that says why, and the end of what was printed."""
    if fields.get("censored") or fields.get("_ansible_no_log"):
        return "the output holds a secret and is not shown", []
    for item in fields.get("results") or []:
        if item.get("failed") or item.get("unreachable"):
            return _cause(item)
    lines = _text(fields.get("stderr") or fields.get("module_stderr")).strip().splitlines()
    if not lines:
        lines = _text(fields.get("stdout")).strip().splitlines()
    message = _text(fields.get("msg")).strip()
    if lines and (not message or message.startswith(("non-zero return code", "MODULE FAILURE"))):
        message = lines[-1].strip()
    return message, lines[-TAIL_LINES:]


def _text(value):
    if isinstance(value, (list, tuple)):
        return "\n".join(str(part) for part in value)
    return str(value or "")
